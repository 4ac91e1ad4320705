/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ini.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

typedef struct reader {
    const char *at, *end;
    unsigned line;
    bool bad;
    ini_fault *fault;
    ini_each each;
    void *ctx;
} reader;

static char *refuse(reader *r, const char *why) {
    if (!r->bad) {
        r->fault->line = r->line;
        snprintf(r->fault->text, sizeof r->fault->text, "%s", why);
    }
    r->bad = true;
    return NULL; /* inih takes it for the end; ini_read knows better */
}

static bool blank(char c) {
    return c == ' ' || c == '\t';
}

/* What is wrong with the line in s[0..n), or NULL. */
static const char *line_fault(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char) s[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return "a control character";
    }
    if (n > INI_LINE_MAX) return "over 190 bytes in a line";
    if (n == 0 || *s == '#' || *s == ';') return NULL;
    if (blank(*s)) {
        return strspn(s, " \t") >= n ? NULL : "a line must begin in the first column";
    }
    for (size_t i = 1; i < n; i++) {
        if (s[i] == ';' && blank(s[i - 1])) return "a comment needs a line of its own";
    }
    if (*s == '[') {
        const char *close = memchr(s, ']', n);
        if (close == NULL) return "[ without ]";
        if ((size_t) (close - s) - 1 > INI_NAME_LEN)
            return "a section's name over 48 bytes";
        return close + 1 == s + n ? NULL : "something behind ]";
    }
    size_t name = 0;
    while (name < n && s[name] != '=' && s[name] != ':') name++;
    if (name == n) return "neither a [section] nor name = value";
    return name > INI_NAME_LEN ? "a name over 48 bytes"
           : name == 0         ? "no name before ="
                               : NULL;
}

/* inih asks for the next line, as it would ask fgets. */
static char *next_line(char *into, int size, void *stream) {
    reader *r = stream;
    if (r->bad || r->at == r->end) return NULL;
    const char *stop = memchr(r->at, '\n', (size_t) (r->end - r->at));
    size_t n = (size_t) ((stop == NULL ? r->end : stop) - r->at);
    const char *line = r->at;
    r->at = stop == NULL ? r->end : stop + 1;
    r->line++;
    if (n > 0 && line[n - 1] == '\r') n--;
    if (r->line == 1 && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        n -= 3;
    }
    while (n > 0 && blank(line[n - 1])) n--;
    const char *why = line_fault(line, n);
    if (why == NULL && (size < 2 || n > (size_t) size - 2)) why = "a line inih would cut";
    if (why != NULL) return refuse(r, why);
    memcpy(into, line, n);
    into[n] = '\n';
    into[n + 1] = '\0';
    return into;
}

static int handle(void *ctx, const char *section, const char *name, const char *value) {
    reader *r = ctx;
    if (r->bad) return 0;
    ini_fault fault = { .line = r->line };
    if (!r->each(r->ctx, section, name, value == NULL ? "" : value, r->line, &fault)) {
        (void) refuse(r, fault.text);
        return 0;
    }
    return 1;
}

/* inih has one context for the reader and another for the handler: both are r. */
bool ini_read(
    const char *text, size_t length, ini_each each, void *ctx, ini_fault *ret_fault) {
    reader r = {
        .at = text, .end = text + length, .fault = ret_fault, .each = each, .ctx = ctx
    };
    *ret_fault = (ini_fault){ 0 };
    if (length > INI_TEXT_MAX) {
        (void) refuse(&r, "over 1 MiB of configuration");
        return false;
    }
    int result = ini_parse_stream(next_line, &r, handle, &r);
    if (result != 0 && !r.bad) (void) refuse(&r, "neither a [section] nor name = value");
    return !r.bad;
}
