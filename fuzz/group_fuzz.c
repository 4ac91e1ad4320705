/* SPDX-License-Identifier: Apache-2.0 */
/* Any place of udp://: what is taken is a multicast group and a port, and written
 * again it is taken for the same; what is refused says why. */
#include "carrier/udp/group.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_return(const struct sockaddr_in *at) {
    char address[INET_ADDRSTRLEN], place[INET_ADDRSTRLEN + 8];
    struct sockaddr_in again;
    if (!IN_MULTICAST(ntohl(at->sin_addr.s_addr)) || at->sin_port == 0) abort();
    if (inet_ntop(AF_INET, &at->sin_addr, address, sizeof address) == NULL) abort();
    (void) snprintf(place, sizeof place, "%s:%u", address, ntohs(at->sin_port));
    if (ki_group_parse(place, &again, NULL) != 0) abort();
    if (memcmp(&again, at, sizeof again) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *place = calloc(1, size + 1);
    if (place == NULL) {
        return 0;
    }
    if (size > 0) memcpy(place, data, size);
    struct sockaddr_in at;
    kith_error err = { 0 };
    int r = ki_group_parse(place, &at, &err);
    if (r == 0) must_return(&at);
    if (r != 0 && (err.code != r || err.text[0] == '\0')) abort();
    free(place);
    return 0;
}
