/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 10000

extern char **environ;

/* Both outputs to fd, or away when it is -1. */
static int spawn(char *const argv[], int fd, pid_t *ret) {
    posix_spawn_file_actions_t files;
    if (posix_spawn_file_actions_init(&files) != 0) {
        return -1;
    }
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    for (int to = 1; to <= 2; to++) {
        if (fd < 0) {
            posix_spawn_file_actions_addopen(&files, to, "/dev/null", O_WRONLY, 0);
        } else {
            posix_spawn_file_actions_adddup2(&files, fd, to);
        }
    }
    int r = posix_spawnp(ret, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return r == 0 ? 0 : bench_failed("%s: %s", argv[0], strerror(r));
}

int process_run(char *const argv[], double *ret_ns) {
    pid_t pid;
    int status;
    uint64_t begin = bench_ns();
    if (spawn(argv, -1, &pid) < 0) {
        return -1;
    }
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return bench_failed("%s does not end well", argv[0]);
    }
    *ret_ns = (double) (bench_ns() - begin);
    return 0;
}

/* true once `ready` has been said. */
static bool listen_for(int fd, const char *ready) {
    char text[8192];
    size_t have = 0;
    uint64_t end = bench_ns() + UINT64_C(1000000) * PATIENCE_MS;
    while (bench_ns() < end && have < sizeof text - 1) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, 100) <= 0) {
            continue;
        }
        ssize_t n = read(fd, text + have, sizeof text - 1 - have);
        if (n <= 0) {
            return false;
        }
        have += (size_t) n;
        text[have] = '\0';
        if (strstr(text, ready) != NULL) {
            return true;
        }
    }
    return false;
}

int process_start(process *p, char *const argv[], const char *ready, double *ret_ns) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return bench_failed("no pipe");
    }
    uint64_t begin = bench_ns();
    int r = spawn(argv, ends[1], &p->pid);
    close(ends[1]);
    p->output = ends[0];
    if (r < 0) {
        close(ends[0]);
        return r;
    }
    if (!listen_for(p->output, ready)) {
        process_stop(p);
        return bench_failed("%s never said '%s'", argv[0], ready);
    }
    *ret_ns = (double) (bench_ns() - begin);
    return 0;
}

void process_stop(process *p) {
    if (p->pid > 0) {
        int status;
        kill(p->pid, SIGTERM);
        while (waitpid(p->pid, &status, 0) < 0) {
        }
        close(p->output);
        *p = (process){ 0 };
    }
}

double process_rss(const process *p) {
    char path[64], line[256];
    double bytes = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int) p->pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        double kib;
        if (sscanf(line, "VmRSS: %lf kB", &kib) == 1) {
            bytes = kib * 1024;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return bytes;
}
