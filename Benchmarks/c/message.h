/* The message that every client publishes, and that the sink delivers. */
#ifndef MESSAGE_H
#define MESSAGE_H

#define EXCHANGE "bench"
#define EXCHANGE_TYPE "topic"
#define ROUTING_KEY "bench.key"
#define QUEUE "bench"
#define CONTENT_TYPE "application/json"
#define DELIVERY_MODE 2

/* 200 octets of JSON, as an agent reports them. */
static const char BODY[] =
    "{\"host\":\"pi.example.net\",\"time\":1732285800,\"uptime\":1048576,\"load\":[0.42,0.31,0.27],"
    "\"memory\":{\"total\":4026531840,\"available\":2147483648},\"cpu\":{\"user\":3.25,\"system\":1.5,\"idle\":95.25},"
    "\"temp_cpu\":48.75}";
_Static_assert(sizeof BODY - 1 == 200, "the body is 200 octets");

#endif
