// The floor: the least that any relay of this shape must do, in C. Every tick it takes what has come in batches,
// opens it, writes the receiver's SSRC, closes it again, and sends it in batches. It repairs nothing, limits
// nothing, and follows nobody. What is neither RTP nor RTCP goes to Python (floor.py) through a socket pair.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BATCH = 64, ROOM = 1600, RECEIVERS = 8, SLOTS = 1 << 14 };

typedef int (*srtp_call)(void *session, void *packet, int *size);
static srtp_call protect, unprotect, protect_rtcp, unprotect_rtcp;

struct receiver {           // floor.py has the same structures
    void *tx;
    struct sockaddr_in to;
    uint32_t ssrc[2];       // what the source's two streams are called there
};

struct source {
    struct sockaddr_in from;
    void *rx;
    uint32_t ssrc[2], receivers;
    struct receiver receiver[RECEIVERS];
};

static struct source *table[SLOTS];
static int fd, back, tick;
static uint8_t in[BATCH][ROOM], out[BATCH][ROOM];
static struct mmsghdr incoming[BATCH], outgoing[BATCH];
static struct iovec in_parts[BATCH], out_parts[BATCH];
static struct sockaddr_in names[BATCH];
static int queued;

static struct source **place(const struct sockaddr_in *from) {
    uint32_t at = (from->sin_addr.s_addr ^ from->sin_port * 40503u) % SLOTS;
    while (table[at] && (table[at]->from.sin_port != from->sin_port ||
                         table[at]->from.sin_addr.s_addr != from->sin_addr.s_addr)) at = (at + 1) % SLOTS;
    return &table[at];
}

static void flush(void) {
    if (queued) sendmmsg(fd, outgoing, queued, 0);
    queued = 0;
}

static void forward(struct source *source, uint8_t *packet, int size) {
    int is_rtcp = packet[1] >= 192 && packet[1] <= 223, at = is_rtcp ? 4 : 8;
    uint32_t ssrc;
    memcpy(&ssrc, packet + at, 4);
    int stream = ssrc == source->ssrc[1];
    if ((is_rtcp ? unprotect_rtcp : unprotect)(source->rx, packet, &size)) return;
    for (uint32_t i = 0; i < source->receivers; i++) {
        struct receiver *receiver = &source->receiver[i];
        int length = size;
        if (queued == BATCH) flush();
        memcpy(out[queued], packet, size);
        memcpy(out[queued] + at, &receiver->ssrc[stream], 4);
        if ((is_rtcp ? protect_rtcp : protect)(receiver->tx, out[queued], &length)) continue;
        out_parts[queued] = (struct iovec){out[queued], length};
        outgoing[queued].msg_hdr.msg_name = &receiver->to;
        queued++;
    }
}

static void take(int i) {
    struct source *source = *place(&names[i]);
    int size = incoming[i].msg_len;
    if (source && size >= 12 && in[i][0] >> 6 == 2) {
        forward(source, in[i], size);
    } else if (size > 0) {
        struct iovec parts[] = {{&names[i], sizeof names[i]}, {in[i], size}};
        sendmsg(back, &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, MSG_DONTWAIT);
    }
}

static void *run(void *unused) {
    int timer = timerfd_create(CLOCK_MONOTONIC, 0), n;
    struct timespec each = {tick / 1000000, tick % 1000000 * 1000};
    timerfd_settime(timer, 0, &(struct itimerspec){each, each}, NULL);
    for (uint64_t passed; read(timer, &passed, sizeof passed) > 0;) {
        do {
            n = recvmmsg(fd, incoming, BATCH, MSG_DONTWAIT, NULL);
            for (int i = 0; i < n; i++) take(i);
            flush();
        } while (n == BATCH);
    }
    return unused;
}

void floor_add(const struct source *source) {
    struct source *kept = malloc(sizeof *kept);
    *kept = *source;
    *place(&kept->from) = kept;
}

// `microseconds` from tick to tick.
void floor_start(srtp_call p, srtp_call u, srtp_call pr, srtp_call ur, int port, int others, int microseconds) {
    protect = p, unprotect = u, protect_rtcp = pr, unprotect_rtcp = ur, fd = port, back = others, tick = microseconds;
    for (int i = 0; i < BATCH; i++) {
        in_parts[i] = (struct iovec){in[i], ROOM};
        incoming[i].msg_hdr = (struct msghdr){
            .msg_iov = &in_parts[i], .msg_iovlen = 1, .msg_name = &names[i], .msg_namelen = sizeof names[i]};
        outgoing[i].msg_hdr = (struct msghdr){
            .msg_iov = &out_parts[i], .msg_iovlen = 1, .msg_namelen = sizeof(struct sockaddr_in)};
    }
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
}
