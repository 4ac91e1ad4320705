/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool split_words(const char *text, char *buffer, size_t size, char *argv[WORDS_MAX + 1]) {
    size_t count = 0, used = 0;
    bool quoted = false;
    for (const char *p = text; *(p += strspn(p, " \t")) != '\0';) {
        if (count == WORDS_MAX) return false;
        argv[count++] = buffer + used;
        for (; *p != '\0' && (quoted || strchr(" \t", *p) == NULL); p++) {
            if (*p == '"') {
                quoted = !quoted;
                continue;
            }
            if (quoted && *p == '\\' && (p[1] == '"' || p[1] == '\\')) p++;
            if (used + 2 > size) return false;
            buffer[used++] = *p;
        }
        buffer[used++] = '\0';
    }
    argv[count] = NULL;
    return count > 0 && !quoted;
}

const char *words_fault(const char *text) {
    char buffer[1200];
    char *argv[WORDS_MAX + 1];
    return split_words(text, buffer, sizeof buffer, argv)
               ? NULL
               : "a command is 1 to 32 words, and each \" has its partner";
}

extern char **environ;

static int spawn(pid_t *ret, char **argv, int in, int to) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    if (posix_spawn_file_actions_init(&files) != 0) return ENOMEM;
    if (posix_spawnattr_init(&how) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    /* The child gets the signals that we block, and a group of its own, so that
     * ctrl-c ends us alone and we end it. */
    (void) posix_spawnattr_setsigmask(&how, &none);
    (void) posix_spawnattr_setsigdefault(&how, &usual);
    (void) posix_spawnattr_setpgroup(&how, 0);
    (void) posix_spawnattr_setflags(
        &how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int r = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    if (r == 0) r = posix_spawn_file_actions_adddup2(&files, to, STDOUT_FILENO);
    if (r == 0) r = posix_spawnp(ret, argv[0], &files, &how, argv, environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return r;
}

int child_start(child *ret, const char *program, const char *input, bool read_it) {
    char words[1200];
    char *argv[WORDS_MAX + 1];
    int in[2] = { -1, -1 }, to[2] = { -1, -1 };
    if (!split_words(program, words, sizeof words, argv)) return EINVAL;
    size_t length = input == NULL ? 0 : strlen(input);
    if (pipe2(in, O_CLOEXEC) < 0 || (read_it && pipe2(to, O_CLOEXEC) < 0)) {
        int why = errno;
        if (in[0] >= 0) {
            close(in[0]);
            close(in[1]);
        }
        return why;
    }
    /* A fresh pipe holds 4 KiB and more: this never blocks. */
    if (length > 4096) length = 4096;
    if (length > 0) (void) !write(in[1], input, length);
    close(in[1]);
    int r = spawn(&ret->pid, argv, in[0], read_it ? to[1] : STDERR_FILENO);
    close(in[0]);
    if (read_it) close(to[1]);
    ret->fd = read_it ? to[0] : -1;
    if (r == 0 && read_it) (void) fcntl(to[0], F_SETFL, O_NONBLOCK);
    if (r != 0) {
        ret->pid = 0;
        if (read_it) close(to[0]);
        ret->fd = -1;
    }
    return r;
}

bool child_ended(child *c, int *ret_status) {
    if (c->pid == 0) return false;
    pid_t r = waitpid(c->pid, ret_status, WNOHANG);
    if (r == 0) return false;
    if (r < 0) *ret_status = 0;
    c->pid = 0;
    return true;
}

void child_kill(child *c) {
    int status;
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    if (c->pid == 0) return;
    (void) kill(-c->pid, SIGKILL);
    (void) kill(c->pid, SIGKILL);
    (void) waitpid(c->pid, &status, 0);
    c->pid = 0;
}
