/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"
#include "cli/run.h"

#include <stdarg.h>
#include <string.h>

void log_init(run_log *l, const settings *s, const out *o) {
    log_section section;
    settings_read(s, "log", "", &section);
    *l = (run_log){ .to = o->err, .level = section.level };
    l->json = o->json || section.form == 2 || (section.form == 0 && !o->err_tty);
}

static const char *const level_names[] = { "error", "info", "debug" };

static void print(run_log *l, int level, const char *event, const char *text) {
    char when[TIME_TEXT], safe[CELL_MAX];
    int64_t now_us = kith_time_now().wall_us;
    if (l->json) {
        record r = record_of("log");
        put_time(&r, "ts", now_us);
        put_text(&r, "level", level_names[level]);
        put_text(&r, "event", event);
        put_text(&r, "text", text);
        out_json(l->to, &r);
    } else {
        time_text(now_us, when);
        fprintf(l->to, "%.19s %-8s %s\n", when, event, printable(text, safe, sizeof safe));
    }
    fflush(l->to);
}

void log_end(run_log *l) {
    char text[64];
    if (l->repeats > 0) {
        snprintf(text, sizeof text, "suppressed %llu", (unsigned long long) l->repeats);
        print(l, LOG_INFO, "repeat", text);
    }
    l->repeats = 0;
    l->last[0] = '\0';
}

void log_say(run_log *l, int level, const char *event, const char *fmt, ...) {
    char text[CELL_MAX - 8], line[sizeof l->last];
    va_list args;
    if (level > l->level) return;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(line, sizeof line, "%s %.300s", event, text);
    if (strcmp(line, l->last) == 0) {
        l->repeats++;
        return;
    }
    log_end(l);
    snprintf(l->last, sizeof l->last, "%s", line);
    print(l, level, event, text);
}
