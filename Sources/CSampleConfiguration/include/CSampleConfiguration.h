/* The sample psistats.conf of the repository, byte for byte, for `psistats config`. */
#ifndef CSAMPLECONFIGURATION_H
#define CSAMPLECONFIGURATION_H

#include <stddef.h>

/* The text; not ended by a zero. */
const unsigned char *csample_configuration_bytes(void);
size_t csample_configuration_size(void);

#endif
