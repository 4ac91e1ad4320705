/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/packets.h"

#include "cli/evidence.h"
#include "cli/lines.h"

#include <jansson.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool from_hex(const char *text, size_t length, kith_packet *ret) {
    size_t n;
    if (!parse_hex(text, length, ret->bytes, sizeof ret->bytes, &n)) return false;
    ret->length = (uint16_t) n;
    return true;
}

static bool from_line(const char *text, size_t length, kith_packet *ret) {
    json_error_t bad;
    while (length > 0 && (text[length - 1] == '\r' || text[length - 1] == ' ')) length--;
    if (length == 0 || *text != '{') return from_hex(text, length, ret);
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &bad);
    const json_t *hex = json_object_get(object, "packet");
    bool good = json_is_string(hex) &&
                from_hex(json_string_value(hex), json_string_length(hex), ret);
    json_decref(object);
    return good;
}

static int each_line(const call *c, int fd, packet_each each, void *ctx) {
    lines in;
    int code = 0, r = 0;
    unsigned long long row = 0;
    bool more = true;
    if (!lines_init(&in, fd, LINE_MAX_BYTES)) return fault(c->out, E_MEMORY, "lines", NULL);
    while (more && (r = lines_read(&in)) > 0) {
        const char *text;
        size_t length;
        while (more && lines_next(&in, &text, &length)) {
            char about[40];
            kith_packet packet;
            snprintf(about, sizeof about, "line %llu", ++row);
            if (length == 0) continue;
            if (!from_line(text, length, &packet)) {
                code = fault(c->out, E_PACKET, about,
                    "it is neither hex of at most 512 bytes nor JSON with such a packet");
            } else {
                more = each(ctx, &packet, about);
            }
        }
    }
    if (r < 0) code = fault(c->out, E_INPUT, "the lines", "%s", strerror(errno));
    lines_fini(&in);
    return code;
}

static int whole_file(
    const call *c, int fd, const char *name, packet_each each, void *ctx) {
    uint8_t bytes[KITH_PACKET_MAX + 1];
    size_t n = 0;
    ssize_t got = 1;
    while (got > 0 && n < sizeof bytes) {
        got = read(fd, bytes + n, sizeof bytes - n);
        n += got > 0 ? (size_t) got : 0;
    }
    if (got < 0) return fault(c->out, E_INPUT, name, "%s", strerror(errno));
    if (n == 0 || n > KITH_PACKET_MAX) {
        return fault(c->out, E_PACKET, name, "it has %s bytes", n == 0 ? "no" : "over 512");
    }
    kith_packet packet = { .length = (uint16_t) n };
    memcpy(packet.bytes, bytes, n);
    (void) each(ctx, &packet, name);
    return 0;
}

int each_packet(const call *c, const char *from, bool raw, packet_each each, void *ctx) {
    kith_packet packet;
    if (!raw && from_hex(from, strlen(from), &packet)) {
        (void) each(ctx, &packet, "the argument");
        return 0;
    }
    bool plain = strcmp(from, "-") == 0;
    int fd = plain ? STDIN_FILENO : open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fault(c->out, E_INPUT, from, "%s", strerror(errno));
    int code = raw ? whole_file(c, fd, from, each, ctx) : each_line(c, fd, each, ctx);
    if (!plain) close(fd);
    return code;
}
