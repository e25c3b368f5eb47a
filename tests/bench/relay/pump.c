// The load: publishes a pre-encoded clip for many peers at once and takes in what comes back.
//
// Python does ICE and DTLS, then hands over each peer's connected socket and its SRTP sessions (libsrtp's
// functions are passed in, so that both use the library that is in pylibsrtp). What is neither RTP nor RTCP
// goes back to Python through a socket pair. One thread does everything; Python starts, asks and stops it.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { VIDEO, AUDIO, KINDS };
enum { BATCH = 64, ROOM = 1600, STREAMS = 16, SAMPLE = 8, BINS = 200000, BIN = 5000 };
#define SECOND 1000000000ull
#define DRAIN (3 * SECOND / 10)  // at the end of a window nothing is sent for so long: what is on its way comes in

typedef int (*srtp_call)(void *session, void *packet, int *size);
static srtp_call protect, unprotect, protect_rtcp, unprotect_rtcp;

// ---- what Python fills in (pump.py has the same structures)

struct piece {              // one RTP packet of the clip
    uint64_t at;            // ns after the clip's begin when it leaves
    uint32_t timestamp;     // RTP units after the clip's begin
    uint32_t offset;        // of its payload
    uint16_t size;
    uint8_t marker, key;    // last of a frame; first of a keyframe
};

struct track {              // the clip's picture or its sound; it is played in a loop
    struct piece *pieces;
    uint8_t *payload;
    uint64_t span;          // ns
    uint32_t count, span_timestamp;
};

struct output {             // a stream that a peer publishes
    uint32_t ssrc;
    uint8_t payload_type, extension_size;
    uint8_t send_time, number;  // where abs-send-time and the transport-wide number are; 0: nowhere
    uint8_t extension[32];
};

struct settings {           // one peer
    int socket;
    int publishes;
    void *tx, *rx;          // SRTP sessions
    struct output outputs[KINDS];
};

struct result {             // of one window
    uint64_t sent, send_errors, received, expected, rejected, keyframe_requests;
    uint64_t streams;       // that were alive in the last second
    uint64_t latest;        // ns that a packet left after its time, at most
    uint64_t sender_reports, receiver_reports, estimates, transport_feedback;
};

// ---- state

struct sending {
    uint64_t base;          // when the clip began, ns
    uint32_t next, timestamp, packets, octets;
    uint16_t sequence;
};

struct receiving {
    uint64_t heard, reported_at;
    uint32_t ssrc, highest, count, lost_before, report;  // report: middle of the last sender report's NTP time
    uint32_t base_highest, base_count;                   // at the begin of the window
    uint8_t kind;
};

struct peer {
    struct settings given;
    struct sending sending[KINDS];
    struct receiving receiving[STREAMS];
    uint64_t report_due, rewound;
    int receivings, rewind;
    uint16_t number;        // transport-wide
};

static struct track clip[KINDS];
static struct peer *peers;
static int count, room, back, stamped;
static struct result result, closed;  // of the window that is open, of the last one
static uint32_t histogram[BINS];
static volatile int stopping, wanted, measuring;
static uint64_t drained;    // while draining: until when
static pthread_t thread;

static uint64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void put16(uint8_t *to, uint32_t value) { to[0] = value >> 8; to[1] = value; }
static void put24(uint8_t *to, uint32_t value) { to[0] = value >> 16; put16(to + 1, value); }
static void put32(uint8_t *to, uint32_t value) { value = htonl(value); memcpy(to, &value, 4); }
static uint32_t get16(const uint8_t *from) { return from[0] << 8 | from[1]; }
static uint32_t get32(const uint8_t *from) { uint32_t value; memcpy(&value, from, 4); return ntohl(value); }

// ---- out

static int write_rtp(struct peer *peer, int kind, const struct piece *piece, uint8_t *out) {
    struct output *output = &peer->given.outputs[kind];
    struct sending *sending = &peer->sending[kind];
    int size = 12;
    out[0] = output->extension_size ? 0x90 : 0x80;
    out[1] = output->payload_type | (piece->marker ? 0x80 : 0);
    put16(out + 2, sending->sequence++);
    put32(out + 4, sending->timestamp + piece->timestamp);
    put32(out + 8, output->ssrc);
    memcpy(out + size, output->extension, output->extension_size);
    if (output->send_time) {  // seconds as 6.18 bits
        uint64_t now = clock_ns(CLOCK_REALTIME);
        put24(out + size + output->send_time, (now % (64 * SECOND)) * (1 << 18) / SECOND);
    }
    if (output->number) put16(out + size + output->number, peer->number++);
    size += output->extension_size;
    memcpy(out + size, clip[kind].payload + piece->offset, piece->size);
    size += piece->size;
    if (stamped) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        memcpy(out + size - 8, &now, 8);
    }
    sending->packets++;
    sending->octets += piece->size;
    return protect(peer->given.tx, out, &size) ? 0 : size;
}

// The clip goes on with its next keyframe, in the time and the timestamps of what would have come now.
static void rewind_to_keyframe(struct peer *peer) {
    struct sending *sending = &peer->sending[VIDEO];
    struct track *track = &clip[VIDEO];
    uint32_t now = sending->next, key = now;
    if (now && !track->pieces[now - 1].marker) return;  // within a frame: later
    while (!track->pieces[key].key) key = (key + 1) % track->count;
    sending->base += track->pieces[now].at - track->pieces[key].at;
    sending->timestamp += track->pieces[now].timestamp - track->pieces[key].timestamp;
    sending->next = key;
    peer->rewind = 0;
}

static uint64_t due(struct peer *peer, int kind) {
    return peer->sending[kind].base + clip[kind].pieces[peer->sending[kind].next].at;
}

// Everything that is due leaves in one burst.
static void publish(struct peer *peer, int kind, uint64_t now) {
    static uint8_t packets[BATCH][ROOM];
    static struct iovec parts[BATCH];
    static struct mmsghdr messages[BATCH];
    struct sending *sending = &peer->sending[kind];
    int n = 0;
    while (n < BATCH && due(peer, kind) <= now) {
        if (now - due(peer, kind) > result.latest) result.latest = now - due(peer, kind);
        int size = write_rtp(peer, kind, &clip[kind].pieces[sending->next], packets[n]);
        if (++sending->next == clip[kind].count) {
            sending->next = 0;
            sending->base += clip[kind].span;
            sending->timestamp += clip[kind].span_timestamp;
        }
        if (!size) { result.send_errors++; continue; }
        parts[n] = (struct iovec){packets[n], size};
        messages[n] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[n], .msg_iovlen = 1}};
        n++;
        if (kind == VIDEO && peer->rewind) rewind_to_keyframe(peer);
    }
    if (!n) return;
    int sent = sendmmsg(peer->given.socket, messages, n, MSG_DONTWAIT);
    result.sent += n;
    if (sent < n) result.send_errors += n - (sent < 0 ? 0 : sent);
}

static int write_blocks(struct peer *peer, uint8_t *out, uint64_t now) {
    for (int i = 0; i < peer->receivings; i++, out += 24) {
        struct receiving *stream = &peer->receiving[i];
        memset(out, 0, 24);  // nothing lost, no jitter
        put32(out, stream->ssrc);
        put32(out + 8, stream->highest);
        put32(out + 16, stream->report);
        put32(out + 20, stream->report ? (now - stream->reported_at) * 65536 / SECOND : 0);
    }
    return 24 * peer->receivings;
}

static int write_sender_report(struct peer *peer, int kind, int blocks, uint8_t *out, uint64_t now) {
    struct sending *sending = &peer->sending[kind];
    uint64_t wall = clock_ns(CLOCK_REALTIME);
    uint64_t played = now > sending->base ? now - sending->base : 0;
    int size = 28;
    out[0] = 0x80 | (blocks ? peer->receivings : 0);
    out[1] = 200;
    put32(out + 4, peer->given.outputs[kind].ssrc);
    put32(out + 8, wall / SECOND + 2208988800u);
    put32(out + 12, (wall % SECOND << 32) / SECOND);
    put32(out + 16, sending->timestamp + played * (kind == VIDEO ? 90000 : 48000) / SECOND);
    put32(out + 20, sending->packets);
    put32(out + 24, sending->octets);
    if (blocks) size += write_blocks(peer, out + size, now);
    put16(out + 2, size / 4 - 1);
    return size;
}

static int write_estimate(struct peer *peer, uint32_t ssrc, uint8_t *out) {
    uint32_t videos = 0, rate = 5000000, exponent = 0;
    for (int i = 0; i < peer->receivings; i++)
        if (peer->receiving[i].kind == VIDEO) put32(out + 20 + 4 * videos++, peer->receiving[i].ssrc);
    if (!videos) return 0;
    rate *= videos;
    while (rate >> 18) rate >>= 1, exponent++;
    out[0] = 0x80 | 15;  // application layer feedback: REMB
    out[1] = 206;
    put16(out + 2, 4 + videos);
    put32(out + 4, ssrc);
    put32(out + 8, 0);
    memcpy(out + 12, "REMB", 4);
    out[16] = videos;
    put24(out + 17, exponent << 18 | rate);
    return 20 + 4 * videos;
}

// Once a second: reports on what is sent and received, a name, an estimate.
static void report(struct peer *peer, uint64_t now) {
    uint8_t out[ROOM];
    uint32_t ssrc = peer->given.outputs[VIDEO].ssrc;
    int size = 0;
    if (peer->given.publishes) {
        size += write_sender_report(peer, VIDEO, 1, out, now);
        size += write_sender_report(peer, AUDIO, 0, out + size, now);
    } else {
        out[0] = 0x80 | peer->receivings;
        out[1] = 201;
        put32(out + 4, ssrc);
        size = 8 + write_blocks(peer, out + 8, now);
        put16(out + 2, size / 4 - 1);
    }
    static const uint8_t name[] = {0x81, 202, 0, 3, 0, 0, 0, 0, 1, 4, 'l', 'o', 'a', 'd', 0, 0};
    memcpy(out + size, name, sizeof name);
    put32(out + size + 4, ssrc);
    size += sizeof name;
    size += write_estimate(peer, ssrc, out + size);
    if (!protect_rtcp(peer->given.tx, out, &size)) send(peer->given.socket, out, size, MSG_DONTWAIT);
}

// ---- in

static struct receiving *stream_of(struct peer *peer, uint32_t ssrc) {
    for (int i = 0; i < peer->receivings; i++)
        if (peer->receiving[i].ssrc == ssrc) return &peer->receiving[i];
    return NULL;
}

static void take_rtcp(struct peer *peer, uint8_t *packet, int size, uint64_t now) {
    if (unprotect_rtcp(peer->given.rx, packet, &size)) { result.rejected++; return; }
    for (int at = 0; at + 8 <= size; at += 4 + 4 * get16(packet + at + 2)) {
        int type = packet[at + 1], format = packet[at] & 31;
        if (type == 200 && at + 28 <= size) {
            struct receiving *stream = stream_of(peer, get32(packet + at + 4));
            result.sender_reports++;
            if (stream) {
                stream->report = get16(packet + at + 10) << 16 | get16(packet + at + 12);
                stream->reported_at = now;
            }
        } else if (type == 201) {
            result.receiver_reports++;
        } else if (type == 205 && format == 15) {
            result.transport_feedback++;
        } else if (type == 206 && format == 15) {
            result.estimates++;
        } else if (type == 206 && (format == 1 || format == 4)) {  // PLI, FIR
            result.keyframe_requests++;
            if (now - peer->rewound > SECOND / 2) peer->rewind = 1, peer->rewound = now;
        }
    }
}

static void take_rtp(struct peer *peer, uint8_t *packet, int size, uint64_t now) {
    uint32_t ssrc = get32(packet + 8), sequence = get16(packet + 2);
    struct receiving *stream = stream_of(peer, ssrc);
    if (!stream) {
        if (peer->receivings == STREAMS) return;
        stream = &peer->receiving[peer->receivings++];
        *stream = (struct receiving){.ssrc = ssrc, .highest = 0x10000 | sequence};
        stream->kind = (packet[1] & 0x7f) == peer->given.outputs[AUDIO].payload_type ? AUDIO : VIDEO;
        stream->base_highest = stream->highest - 1;
    }
    int16_t ahead = sequence - stream->highest;
    if (ahead > 0) stream->highest += ahead;
    stream->heard = now;
    // Opening each packet would cost the generator more than it tells: one in eight shows when it left.
    if (stream->count++ % SAMPLE) return;
    if (unprotect(peer->given.rx, packet, &size)) { result.rejected++; return; }
    if (!measuring || !stamped) return;
    uint64_t left, took;
    memcpy(&left, packet + size - 8, 8);
    took = now - left;
    histogram[took / BIN < BINS ? took / BIN : BINS - 1]++;
}

static void take(int index, uint8_t *packet, int size, uint64_t now) {
    struct peer *peer = &peers[index];
    if (size >= 12 && packet[0] >> 6 == 2) {
        if (packet[1] >= 192 && packet[1] <= 223) take_rtcp(peer, packet, size, now);
        else take_rtp(peer, packet, size, now);
    } else if (size > 0) {
        struct iovec parts[] = {{&index, sizeof index}, {packet, size}};
        sendmsg(back, &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, MSG_DONTWAIT);
    }
}

static void receive(int index) {
    static uint8_t packets[BATCH][ROOM];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){packets[i], ROOM};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    int n = recvmmsg(peers[index].given.socket, messages, BATCH, MSG_DONTWAIT, NULL);
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < n; i++) take(index, packets[i], messages[i].msg_len, now);
}

// ---- the window

static void open_window(void) {
    memset(&result, 0, sizeof result);
    memset(histogram, 0, sizeof histogram);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < peers[i].receivings; k++) {
            struct receiving *stream = &peers[i].receiving[k];
            stream->base_highest = stream->highest;
            stream->base_count = stream->count;
        }
}

// Lost is what is missing between sequence numbers: no packet that was on its way at the begin counts.
static void close_window(uint64_t now) {
    result.received = result.expected = result.streams = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < peers[i].receivings; k++) {
            struct receiving *stream = &peers[i].receiving[k];
            result.received += stream->count - stream->base_count;
            result.expected += stream->highest - stream->base_highest;
            result.streams += now - stream->heard < SECOND;
        }
    closed = result;
    for (int i = 0; i < count; i++)  // and on it goes, as if that time had not been
        for (int kind = 0; kind < KINDS; kind++) peers[i].sending[kind].base += DRAIN;
}

static void turn_window(uint64_t now) {
    if (wanted) {
        open_window();
    } else if (!drained) {
        drained = now + DRAIN;
        return;
    } else if (now < drained) {
        return;
    } else {
        close_window(now);
    }
    drained = 0;
    measuring = wanted;
}

static void *run(void *unused) {
    struct epoll_event events[BATCH * 8];
    int poll = epoll_create1(0);
    uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(poll, EPOLL_CTL_ADD, peers[i].given.socket, &event);
        // Nobody begins when another does: spread over three seconds, the time between two keyframes.
        uint64_t phase = (uint64_t)i * 2654435761u % (3 * SECOND);
        peers[i].sending[VIDEO].base = begin + phase;
        peers[i].sending[AUDIO].base = begin + phase + SECOND / 140;
        peers[i].report_due = begin + phase + SECOND / 3;
    }
    while (!stopping) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC), next = now + SECOND / 100;
        if (wanted != measuring) turn_window(now);
        for (int i = 0; i < count; i++) {
            struct peer *peer = &peers[i];
            if (peer->given.publishes && !drained)
                for (int kind = 0; kind < KINDS; kind++) {
                    if (due(peer, kind) <= now) publish(peer, kind, now);
                    if (due(peer, kind) < next) next = due(peer, kind);
                }
            if (peer->report_due <= now) {
                peer->report_due += SECOND;
                report(peer, now);
            }
        }
        now = clock_ns(CLOCK_MONOTONIC);
        struct timespec wait = {0, next > now ? next - now : 0};
        int n = epoll_pwait2(poll, events, BATCH * 8, &wait, NULL);
        for (int i = 0; i < n; i++) receive(events[i].data.u32);
    }
    close(poll);
    return unused;
}

// ---- what Python calls

void pump_open(srtp_call p, srtp_call u, srtp_call pr, srtp_call ur, int others, int most, int stamps) {
    protect = p, unprotect = u, protect_rtcp = pr, unprotect_rtcp = ur, back = others, room = most, stamped = stamps;
    peers = calloc(most, sizeof *peers);
}

void pump_clip(int kind, const struct track *track) { clip[kind] = *track; }

int pump_add(const struct settings *settings) {
    if (count == room) return -1;
    peers[count].given = *settings;
    for (int kind = 0; kind < KINDS; kind++) {
        peers[count].sending[kind].sequence = rand();
        peers[count].sending[kind].timestamp = rand();
    }
    return count++;
}

void pump_start(void) { pthread_create(&thread, NULL, run, NULL); }

// Begins (1) or ends (0) the window; returns when the thread has done so.
void pump_measure(int on) {
    wanted = on;
    while (measuring != on) usleep(1000);
}

void pump_result(struct result *to, uint32_t *bins) {
    *to = closed;
    memcpy(bins, histogram, sizeof histogram);
}

void pump_stop(void) {
    stopping = 1;
    pthread_join(thread, NULL);
}
