// Floods a server from one connected socket with the same few datagrams over and over, at a steady rate.
// `session` protects each anew if it is there, under the next sequence number: what a participant may send.

#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BATCH = 64, ROOM = 2048 };

typedef int (*srtp_call)(void *session, void *packet, int *size);

struct flood {              // flood.py has the same structure
    int socket, rate;       // datagrams in a second
    void *session;
    srtp_call protect;
    int is_rtp, count;
    uint8_t **datagrams;
    int *sizes;
};

static struct flood flood;
static volatile int stopping;
static uint64_t sent;
static pthread_t thread;

static int next_datagram(uint8_t *out) {
    static uint16_t sequence;
    int size = flood.sizes[sent % flood.count];
    memcpy(out, flood.datagrams[sent++ % flood.count], size);
    if (flood.is_rtp) {
        sequence++;
        out[2] = sequence >> 8, out[3] = sequence;
    }
    return flood.session && flood.protect(flood.session, out, &size) ? 0 : size;
}

static void burst(int many) {
    static uint8_t packets[BATCH][ROOM];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    while (many > 0) {
        int n = many < BATCH ? many : BATCH;
        for (int i = 0; i < n; i++) {
            parts[i] = (struct iovec){packets[i], next_datagram(packets[i])};
            messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
        }
        sendmmsg(flood.socket, messages, n, MSG_DONTWAIT);
        many -= n;
    }
}

static void *run(void *unused) {
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct timespec millisecond = {0, 1000000};
    timerfd_settime(timer, 0, &(struct itimerspec){millisecond, millisecond}, NULL);
    for (uint64_t passed; !stopping && read(timer, &passed, sizeof passed) > 0;) burst(passed * flood.rate / 1000);
    close(timer);
    return unused;
}

void flood_start(const struct flood *given) {
    flood = *given;
    stopping = 0, sent = 0;
    pthread_create(&thread, NULL, run, NULL);
}

// How many datagrams were sent.
uint64_t flood_stop(void) {
    stopping = 1;
    pthread_join(thread, NULL);
    return sent;
}
