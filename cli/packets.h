/* SPDX-License-Identifier: Apache-2.0 */
/* cli/packets.h - packets from an argument: hex, a file of lines, or stdin. */
#ifndef CLI_PACKETS_H
#define CLI_PACKETS_H

#include "cli/command.h"

#include <kith/packet.h>

/* about names where it stood: "line 3". false: enough. */
typedef bool (*packet_each)(void *ctx, const kith_packet *packet, const char *about);

/* from: hex digits, a file's name, or - for stdin. A line is hex, or a JSON object
 * with a member "packet" of hex. With raw the file is one packet's bytes. 0, or the
 * exit code of the last fault; a bad line does not stop it. */
int each_packet(const call *c, const char *from, bool raw, packet_each each, void *ctx);

#endif
