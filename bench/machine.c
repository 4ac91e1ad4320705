/* SPDX-License-Identifier: Apache-2.0 */
/* What stands around a figure: clock, cores, how idle the machine was, versions. */
#include "harness.h"

#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

uint64_t bench_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

int bench_failed(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("kith-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return -1;
}

/* The cores given to this process when it began; pinning narrows them later. */
static cpu_set_t allowed;

static void learn_cpus(void) {
    static bool known;
    if (!known) {
        known = true;
        if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
            CPU_SET(0, &allowed);
        }
    }
}

int bench_cpus(void) {
    learn_cpus();
    return CPU_COUNT(&allowed);
}

void bench_pin(int cpu) {
    learn_cpus();
    cpu_set_t set = allowed;
    int left = cpu;
    for (size_t i = CPU_SETSIZE; cpu >= 0 && i-- > 0;) {
        if (CPU_ISSET(i, &allowed) && left-- == 0) {
            CPU_ZERO(&set);
            CPU_SET(i, &set);
        }
    }
    sched_setaffinity(0, sizeof set, &set);
}

static double seconds(struct timeval t) {
    return (double) t.tv_sec + (double) t.tv_usec / 1e6;
}

/* Our own work, and that of children that ended, is no noise. */
void bench_idle_mark(bench_idle *mark) {
    *mark = (bench_idle){ 0 };
    double v[8] = { 0 };
    FILE *f = fopen("/proc/stat", "r");
    if (f == NULL) {
        return;
    }
    if (fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &v[0], &v[1], &v[2], &v[3], &v[4],
            &v[5], &v[6], &v[7]) == 8) {
        double hz = (double) sysconf(_SC_CLK_TCK);
        for (int i = 0; i < 8; i++) {
            mark->total += v[i] / hz;
            mark->busy += i == 3 || i == 4 ? 0 : v[i] / hz;
        }
    }
    fclose(f);
    int whose[2] = { RUSAGE_SELF, RUSAGE_CHILDREN };
    for (int i = 0; i < 2; i++) {
        struct rusage u;
        if (getrusage(whose[i], &u) == 0) {
            mark->own += seconds(u.ru_utime) + seconds(u.ru_stime);
        }
    }
}

double bench_idle_share(const bench_idle *mark) {
    bench_idle now;
    bench_idle_mark(&now);
    double total = now.total - mark->total;
    if (total < 0.2) {
        return -1;
    }
    double others = now.busy - mark->busy - (now.own - mark->own);
    double share = 1 - others / total;
    return share > 1 ? 1 : share < 0 ? 0 : share;
}

void bench_json_text(FILE *to, const char *text) {
    fputc('"', to);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', to);
        }
        fputc((unsigned char) *text < 0x20 ? ' ' : *text, to);
    }
    fputc('"', to);
}

static void cpu_model(char *ret, size_t size) {
    snprintf(ret, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            colon[strcspn(colon, "\n")] = '\0';
            snprintf(ret, size, "%s", colon + 2);
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
}

void bench_machine(FILE *to) {
    struct utsname u;
    char model[200], day[32] = "";
    cpu_model(model, sizeof model);
    if (uname(&u) != 0) {
        memset(&u, 0, sizeof u);
    }
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        strftime(day, sizeof day, "%Y-%m-%d", &utc);
    }
    fprintf(to, "\"cpu\":");
    bench_json_text(to, model);
    fprintf(to, ",\"cores\":%d,\"kernel\":", bench_cpus());
    bench_json_text(to, u.release);
    fprintf(to, ",\"compiler\":");
    bench_json_text(to, BENCH_COMPILER);
    fprintf(to, ",\"flags\":");
    bench_json_text(to, BENCH_FLAGS);
    fprintf(to, ",\"date\":\"%s\"", day);
}
