/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include "cli/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

json js_to(FILE *to) {
    return (json){ .to = to };
}

/* The comma before a value, unless its key has written it already. */
static void before(json *j) {
    if (j->keyed) {
        j->keyed = false;
        return;
    }
    if (j->comma[j->depth]) fputc(',', j->to);
    j->comma[j->depth] = true;
}

void js_begin(json *j, char bracket) {
    before(j);
    fputc(bracket, j->to);
    CHECK(j->depth + 1 < JSON_DEPTH_MAX); /* our own shapes are shallow */
    j->comma[++j->depth] = false;
}

void js_end(json *j, char bracket) {
    fputc(bracket, j->to);
    CHECK(j->depth > 0);
    CHECK(!j->keyed);
    j->depth--;
}

size_t utf8_sequence(const unsigned char *s) {
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = s[0] < 0x80   ? 1
               : s[0] < 0xc2 ? 0
               : s[0] < 0xe0 ? 2
               : s[0] < 0xf0 ? 3
               : s[0] < 0xf5 ? 4
                             : 0;
    uint32_t point = n < 2 ? s[0] : s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        point = point << 6 | (s[i] & 0x3f);
    }
    bool good = n < 2 || (point >= least[n] && point <= 0x10ffff &&
                             (point < 0xd800 || point > 0xdfff));
    return good ? n : 0;
}

static void quoted(FILE *to, const char *text) {
    fputc('"', to);
    for (const unsigned char *s = (const unsigned char *) text; *s != '\0';) {
        size_t n = utf8_sequence(s);
        if (n == 0) {
            fputs("\xef\xbf\xbd", to);
            s++;
        } else if (n > 1) {
            fwrite(s, 1, n, to);
            s += n;
        } else {
            if (*s == '"' || *s == '\\') fputc('\\', to);
            if (*s < 0x20 || *s == 0x7f) {
                fprintf(to, "\\u%04x", *s);
            } else {
                fputc(*s, to);
            }
            s++;
        }
    }
    fputc('"', to);
}

void js_key(json *j, const char *key) {
    CHECK(!j->keyed);
    before(j);
    quoted(j->to, key);
    fputc(':', j->to);
    j->keyed = true;
}

void js_text(json *j, const char *text) {
    if (text == NULL) {
        js_null(j);
        return;
    }
    before(j);
    quoted(j->to, text);
}

void js_int(json *j, int64_t value) {
    before(j);
    fprintf(j->to, "%" PRId64, value);
}

void js_count(json *j, uint64_t value) {
    before(j);
    fprintf(j->to, "\"%" PRIu64 "\"", value);
}

void js_big(json *j, int64_t value) {
    before(j);
    fprintf(j->to, "\"%" PRId64 "\"", value);
}

char *real_text(double value, char ret[REAL_TEXT]) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(ret, REAL_TEXT, "%.*g", digits, value);
        if (strtod(ret, NULL) == value) break;
    }
    return ret;
}

void js_real(json *j, double value) {
    char text[REAL_TEXT];
    if (!isfinite(value)) {
        js_null(j);
        return;
    }
    before(j);
    fputs(real_text(value, text), j->to);
}

void js_bool(json *j, bool value) {
    before(j);
    fputs(value ? "true" : "false", j->to);
}

void js_null(json *j) {
    before(j);
    fputs("null", j->to);
}

char *hex_text(const uint8_t *bytes, size_t length, char *ret) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * length] = '\0';
    return ret;
}

void js_hex(json *j, const uint8_t *bytes, size_t length) {
    before(j);
    fputc('"', j->to);
    for (size_t i = 0; i < length; i += 64) {
        char text[2 * 64 + 1];
        fputs(hex_text(bytes + i, length - i < 64 ? length - i : 64, text), j->to);
    }
    fputc('"', j->to);
}

char *time_text(int64_t wall_us, char ret[TIME_TEXT]) {
    int64_t seconds = wall_us / 1000000, rest = wall_us % 1000000;
    if (rest < 0) {
        rest += 1000000;
        seconds--;
    }
    time_t whole = (time_t) seconds;
    struct tm parts;
    if (gmtime_r(&whole, &parts) == NULL || parts.tm_year > 8099) {
        snprintf(ret, TIME_TEXT, "never");
        return ret;
    }
    size_t n = strftime(ret, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == 0) {
        snprintf(ret + n, TIME_TEXT - n, "Z");
    } else {
        snprintf(ret + n, TIME_TEXT - n, ".%06" PRId64 "Z", rest);
    }
    return ret;
}

void js_time(json *j, int64_t wall_us) {
    char text[TIME_TEXT];
    js_text(j, time_text(wall_us, text));
}
