/* SPDX-License-Identifier: Apache-2.0 */
/* kith/version.h - which kith this is. */
#ifndef KITH_VERSION_H
#define KITH_VERSION_H

#include <kith/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_VERSION "0.1.0"

/* Of the library that is loaded, which may be newer than the header. */
KITH_API const char *kith_version(void);

#ifdef __cplusplus
}
#endif
#endif
