/* SPDX-License-Identifier: Apache-2.0 */
/* address/subject.h - the grammar of subjects again, sixteen bytes at a time, for
 * encode and decode, which spend most of their time here. */
#ifndef ADDRESS_SUBJECT_H
#define ADDRESS_SUBJECT_H

#include <kith/packet.h>

/* Are these bytes a subject? The fifteen bytes behind them are readable; what
 * they are does not matter. */
bool ki_subject_ok(const uint8_t *text, size_t length);

#endif
