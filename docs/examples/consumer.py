#!/usr/bin/env python3
"""Prints the processor load of each machine as it arrives. Needs pika: pip install pika."""

import json
import sys

import pika

connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1] if len(sys.argv) > 1 else "amqp://guest:guest@localhost/%2F"))
channel = connection.channel()
channel.exchange_declare("psistats", exchange_type="topic")
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, "psistats", routing_key="psistats.*")
for method, properties, body in channel.consume(queue):
    report = json.loads(body)
    if "cpu" in report:
        print(report["hostname"], report["cpu"], flush=True)
    channel.basic_ack(method.delivery_tag)
