/* The types of libsensors. Nothing is linked: the library is loaded at run time, where there is one. */
#ifndef CSENSORS_H
#define CSENSORS_H

#include <sensors/error.h>
#include <sensors/sensors.h>

#endif
