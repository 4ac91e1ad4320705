/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: bytes in, bytes out. */
#include "base/check.h"
#include "base/wire.h"
#include "carrier/carrier.h"
#include "carrier/tcp/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

static void put_hello(conn *c) {
    c->control_length += ki_tcp_put_hello(c->control + c->control_length, &c->p.ours);
}

conn *ki_conn_new(bus *b, int fd, bool dialling) {
    CHECK(b->count < CONNS_MAX);
    conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    hello ours = { .version = LINK_VERSION,
        .role = dialling ? ROLE_LEAF : ROLE_HUB,
        .method = b->guard == NULL ? 0 : b->guard->method,
        .window = (uint32_t) b->queue_bytes };
    memcpy(ours.id, b->id, sizeof ours.id);
    for (size_t i = 0; i < sizeof ours.challenge; i++) {
        ours.challenge[i] = b->id[i % sizeof b->id]; /* a guard puts chance here */
    }
    ki_peer_init(&c->p, dialling, &ours, b->guard);
    c->fd = fd;
    c->in = c->small_in;
    c->in_size = sizeof c->small_in;
    c->control = c->small_control;
    c->watched = EPOLLIN | EPOLLOUT;
    struct epoll_event e = { .events = c->watched, .data.ptr = c };
    if (epoll_ctl(b->poll, EPOLL_CTL_ADD, fd, &e) < 0) {
        free(c);
        return NULL;
    }
    put_hello(c);
    pthread_mutex_lock(&b->lock);
    b->conns[b->count++] = c;
    pthread_mutex_unlock(&b->lock);
    b->strangers++;
    return c;
}

/* What the kernel has not taken whole waits for the next connection of a leaf; what
 * it has, is lost when the connection is. */
static void take_back(conn *c) {
    for (size_t i = c->sending_count; i > 0; i--) {
        ki_blocks_untake(&c->out->q, c->sending[i - 1]);
    }
    c->sending_count = c->sending_at = 0;
}

void ki_conn_free(bus *b, size_t index) {
    conn *c = b->conns[index];
    pthread_mutex_lock(&b->lock);
    if (c->out != NULL) {
        take_back(c);
    }
    c->open = false;
    b->conns[index] = b->conns[--b->count];
    b->wants_new = b->wants_new || c->t != NULL;
    pthread_mutex_unlock(&b->lock);
    b->strangers -= c->t == NULL;
    if (c->p.state == PEER_GONE && c->p.why != 0 && c->p.said == 0 && c->sending_at == 0) {
        uint8_t bye[FRAME_HEADER + 1];
        (void) !send(c->fd, bye, ki_tcp_put_bye(bye, c->p.why), MSG_NOSIGNAL);
    }
    close(c->fd);
    if (c->t != NULL) {
        ki_blocks_fini(&c->t->out.q);
    }
    free(c->t);
    free(c);
}

void ki_conn_watch(bus *b, conn *c) {
    bool more = c->control_length > 0 || c->sending_count > 0;
    uint32_t want =
        (c->held ? 0 : EPOLLIN) | (more || c->p.state == PEER_DIALLING ? EPOLLOUT : 0);
    if (want != c->watched) {
        /* asked for nothing, epoll would still tell of the end again and again */
        int how = want == 0         ? EPOLL_CTL_DEL
                  : c->watched == 0 ? EPOLL_CTL_ADD
                                    : EPOLL_CTL_MOD;
        struct epoll_event e = { .events = want, .data.ptr = c };
        c->watched = want;
        (void) epoll_ctl(b->poll, how, c->fd, &e);
    }
}

/* ---- in ---- */

/* Its own buffers: a stranger has none. */
static bool open_up(bus *b, conn *c) {
    traffic *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return false;
    }
    bool leaf = c->p.ours.role == ROLE_LEAF;
    if (!leaf && ki_blocks_init(&t->out.q, (size_t) b->queue_bytes) < 0) {
        free(t);
        return false;
    }
    t->theirs.all = true; /* until it says what it wants */
    memcpy(t->in, c->in, c->in_length);
    memcpy(t->control, c->control, c->control_length);
    c->in = t->in;
    c->in_size = sizeof t->in;
    c->control = t->control;
    c->out = leaf ? &b->up : &t->out;
    c->t = t;
    b->strangers--;
    pthread_mutex_lock(&b->lock);
    c->base = b->inbox_put;
    c->open = true;
    b->wants_new = true;
    pthread_mutex_unlock(&b->lock);
    return true;
}

/* The first WANT says even that nothing is wanted: until then all is sent. */
static void greet(conn *c) {
    (void) ki_peer_tell(&c->p);
    c->want_due = true;
}

static void prove(bus *b, conn *c) {
    uint8_t *to = c->control + c->control_length;
    size_t n = b->guard->prove(b->guard->ctx, &c->p.ours, &c->p.theirs, to + FRAME_HEADER);
    CHECK(n >= 1 && n <= PROOF_MAX);
    ki_tcp_put_header(to, FRAME_PROOF, 0, n);
    c->control_length += FRAME_HEADER + n;
}

static bool take_want(bus *b, conn *c, const frame *f) {
    wants theirs;
    if (ki_tcp_get_want(f, &theirs) < 0) {
        ki_peer_end(&c->p, BYE_RUBBISH);
        return false;
    }
    pthread_mutex_lock(&b->lock);
    c->t->theirs = theirs;
    b->wants_new = true;
    pthread_mutex_unlock(&b->lock);
    /* a hub that says what it wants has us among those it sends to */
    if (c->p.ours.role == ROLE_LEAF && !c->greeted) {
        c->greeted = true;
        ki_bus_set_role(b, BUS_LEAF, true, NULL);
    }
    return true;
}

static bool take_frame(bus *b, conn *c, const frame *f) {
    peer_news news;
    if (ki_peer_take(&c->p, f, &news) < 0) {
        return false;
    }
    if (news == NEWS_OPEN) {
        if (!open_up(b, c)) {
            ki_peer_end(&c->p, BYE_FULL);
            return false;
        }
        greet(c);
    } else if (news == NEWS_PROVE) {
        prove(b, c);
    } else if (news == NEWS_WANT) {
        return take_want(b, c, f);
    }
    return true;
}

/* The next whole frame. False: none, or the end. */
static bool parse_one(bus *b, conn *c) {
    frame f;
    int r = ki_tcp_frame(c->in + c->in_at, c->in_length - c->in_at, &f);
    if (r != 0) {
        if (r < 0) {
            ki_peer_end(&c->p, BYE_RUBBISH);
        }
        return false;
    }
    if (c->t == NULL && f.length > PROOF_MAX) {
        ki_peer_end(&c->p, BYE_RUBBISH);
        return false;
    }
    size_t at = c->in_at; /* the buffer may grow under way, not move within itself */
    if (c->route_at == 0 && !take_frame(b, c, &f)) {
        return false;
    }
    f.body = c->in + at + FRAME_HEADER;
    if (f.type == FRAME_BATCH && !ki_route_batch(b, c, &f)) {
        c->held = true;
        return false;
    }
    c->route_at = 0;
    c->in_at += FRAME_HEADER + f.length;
    return c->p.state != PEER_GONE;
}

bool ki_conn_parse(bus *b, conn *c) {
    c->held = false;
    while (c->p.state != PEER_GONE && parse_one(b, c)) {
    }
    if (c->in_at > 0) {
        memmove(c->in, c->in + c->in_at, c->in_length - c->in_at);
        c->in_length -= c->in_at;
        c->in_at = 0;
    }
    /* a stranger's frame that cannot become whole in the room there is */
    if (c->p.state != PEER_GONE && !c->held && c->in_length == c->in_size) {
        ki_peer_end(&c->p, BYE_RUBBISH);
    }
    return c->p.state != PEER_GONE;
}

static bool finish_dial(bus *b, conn *c) {
    kith_error why = { 0 };
    if (ki_place_dialled(&b->place, c->fd, &why) < 0) {
        return false;
    }
    ki_peer_connected(&c->p);
    return true;
}

bool ki_conn_read(bus *b, conn *c) {
    if (c->p.state == PEER_DIALLING && !finish_dial(b, c)) {
        return false;
    }
    if (c->held) {
        return true;
    }
    ssize_t n = recv(c->fd, c->in + c->in_length, c->in_size - c->in_length, 0);
    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    ki_peer_heard(&c->p);
    if (c->leaving) {
        return true; /* too late for us: it stays with who posted it */
    }
    c->in_length += (size_t) n;
    return ki_conn_parse(b, c);
}

/* ---- out ---- */

/* One frame of control at a time; each says what holds now. */
static void put_control(conn *c) {
    if (c->control_length > 0 || c->t == NULL) {
        return;
    }
    if (c->want_due) {
        c->want_due = false;
        c->control_length = ki_tcp_put_want(c->control, c->p.want_told, &c->t->told);
    } else if (c->wanted_due) {
        c->wanted_due = false;
        c->control_length =
            ki_tcp_put_number32(c->control, FRAME_WANTED, c->p.want_answered);
    } else if (c->credit_due) {
        c->credit_due = false;
        c->control_length = ki_tcp_put_credit(c->control, ki_peer_grant(&c->p));
    }
}

/* As many blocks as its credit allows; their headers are written here. */
static void load_blocks(bus *b, conn *c) {
    pthread_mutex_lock(&b->lock);
    while (c->sending_count < SENDS_MAX && ki_blocks_waiting(&c->out->q) &&
           (c->out->q.first == NULL ||
               ki_block_load(c->out->q.first) <= ki_peer_credit(&c->p))) {
        block *k = ki_blocks_take(&c->out->q);
        if (k == NULL) {
            break;
        }
        ki_peer_sent(&c->p, ki_block_load(k));
        c->sending[c->sending_count++] = k;
        ki_tcp_put_header(k->bytes, FRAME_BATCH, k->count, k->used - FRAME_HEADER);
        wire_put32(k->bytes + FRAME_HEADER, k->lost);
    }
    pthread_mutex_unlock(&b->lock);
}

static size_t gather(conn *c, struct iovec iov[SENDS_MAX + 1]) {
    size_t n = 0;
    if (c->control_length > 0 && c->sending_at == 0) {
        iov[n++] =
            (struct iovec){ c->control + c->control_at, c->control_length - c->control_at };
    }
    for (size_t i = 0; i < c->sending_count; i++) {
        size_t at = i == 0 ? c->sending_at : 0;
        iov[n++] = (struct iovec){ c->sending[i]->bytes + at, c->sending[i]->used - at };
    }
    return n;
}

/* So many bytes are the kernel's now. */
static void note_sent(bus *b, conn *c, size_t n) {
    if (c->control_length > 0 && c->sending_at == 0) {
        size_t part = c->control_length - c->control_at;
        part = part < n ? part : n;
        c->control_at += part;
        n -= part;
        if (c->control_at < c->control_length) {
            return;
        }
        c->control_at = c->control_length = 0;
    }
    pthread_mutex_lock(&b->lock);
    c->sending_at += n;
    while (c->sending_count > 0 && c->sending_at >= c->sending[0]->used) {
        c->sending_at -= c->sending[0]->used;
        ki_blocks_give_back(&c->out->q, c->sending[0]);
        ki_sink_taken(c->out);
        c->sending_count--;
        memmove(c->sending, c->sending + 1, c->sending_count * sizeof *c->sending);
    }
    pthread_mutex_unlock(&b->lock);
}

bool ki_conn_write(bus *b, conn *c) {
    if (c->p.state == PEER_DIALLING) {
        return true;
    }
    for (;;) {
        struct iovec iov[SENDS_MAX + 1];
        put_control(c);
        if (c->t != NULL && !c->leaving) {
            load_blocks(b, c);
        }
        struct msghdr m = { .msg_iov = iov };
        m.msg_iovlen = gather(c, iov);
        if (m.msg_iovlen == 0) {
            return true;
        }
        ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        note_sent(b, c, (size_t) n);
    }
}

bool ki_conn_has_sent_all(bus *b, conn *c) {
    pthread_mutex_lock(&b->lock);
    bool waiting = c->out != NULL && ki_blocks_waiting(&c->out->q);
    pthread_mutex_unlock(&b->lock);
    return !waiting && c->sending_count == 0 && c->control_length == 0;
}
