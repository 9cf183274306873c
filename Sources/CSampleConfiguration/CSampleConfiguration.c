#include "CSampleConfiguration.h"

/* In C, because the compiler takes the file as it is; a Swift array of so many literals takes its optimizer minutes. */
#pragma clang diagnostic ignored "-Wc23-extensions" /* #embed, which clang takes in every dialect */
static const unsigned char sample[] = {
#embed "../../psistats.conf"
};

const unsigned char *csample_configuration_bytes(void) { return sample; }
size_t csample_configuration_size(void) { return sizeof sample; }
