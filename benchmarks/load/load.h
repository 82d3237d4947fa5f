/* What the files of the load client share. main.c says what the client does. */
#pragma once
#define _GNU_SOURCE
#include <stdint.h>
#include <stddef.h>

enum {
    MOST_CONNECTIONS = 40000,
    MOST_IN_FLIGHT = 1 << 14,
    MOST_SECONDS = 600,
    MOST_WATCHED = 64,
    MOST_SERVERS = 16,
    OPENING_SECONDS = 300,
    LOG_DIGITS = 5,
    NUMBER_DIGITS = 10,
    BUFFER = 1 << 22,           /* bytes taken from a socket at once; no frame or answer may be longer */
    CURSOR = 100,
};

enum transport { WEBSOCKET, STREAM, POLL, PAGE, POST };
enum role { READER, SPEAKER };
enum state { CLOSED, SHAKING, GREETED, READY };

/* How to come in by one transport: where, with what, and what says that one is in. */
struct door {
    enum transport transport;
    const char *path, *first_path, *subprotocol, *header, *hello, *ready;
};

struct options {
    int port, readers, rooms, speakers, in_flight, first_room, opening, hold, come_back, watched_count;
    int watched[MOST_WATCHED];
    int servers[MOST_SERVERS], server_count; /* their ports, in turn; port: the first one */
    double seconds, warmup, rate, patience;
    uint64_t messages;
    struct door reader, speaker;
    const char *text, *send, *ack, *ack_number, *seq, *cursor, *error, *beat, *beat_answer;
};

/* One numbered series of messages, spoken by one speaker into one room. */
struct slot {
    double at;                  /* when it was sent, or was due */
    uint32_t got;               /* how many of those who must have it have it */
};

struct log {
    int room;
    uint32_t needed;            /* readers, and the ack where there is one */
    uint32_t spoken, done, acked;
    struct connection *speaker;
    struct slot *slots;
};

struct connection {
    int fd, number;
    enum role role;
    enum state state;
    const struct door *door;
    struct log *log;            /* a reader's */
    uint32_t next;              /* the number that has to come next */
    long long seq;              /* the server's own number of the newest message, -1: none yet */
    char *cursor;               /* what a poll asks with */
    char *in, *out;             /* what is not complete yet; what the socket did not take */
    size_t in_size, out_size, out_room;
    char *text;                 /* of an event stream, after its chunks were taken apart */
    size_t text_size;
    int head_came, chunked, digits;
    size_t chunk, chunk_size;   /* what is left of a chunk; the size that is being read */
    int turn, busy, in_flight, logs; /* a speaker's: whose turn it is, whether a POST is under way */
};

extern struct options options;
extern struct log *logs;
extern struct connection *readers, *speakers;
extern int log_count;
extern int live, pending;       /* connections that are in; that are on their way in */
extern char odd[300];           /* the newest text that was no message: it explains silence */
extern double now;

/* main.c */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
double seconds_now(void);

/* wire.c: sockets, and one epoll for all of them */
void wire_start(void);
void wire_open(struct connection *connection);
void wire_send(struct connection *connection, const char *data, size_t size);
void wire_turn(double seconds);
void wire_ready(struct connection *connection);
void wire_ended(struct connection *connection, const char *why);

/* websocket.c */
void websocket_open(struct connection *connection);
size_t websocket_take(struct connection *connection, char *at, char *end);
void websocket_text(struct connection *connection, const char *text, size_t size);

/* http.c */
void http_open(struct connection *connection);
size_t http_take(struct connection *connection, char *at, char *end);
void http_post(struct connection *connection, const char *body, size_t size);

/* talk.c: numbers, windows, times */
void talk_start(void);
void talk(double seconds);
int talk_is_done(void);
void talk_message(struct connection *reader, const char *text, size_t size);
int talk_messages(struct connection *reader, const char *text, size_t size);
void talk_ack(struct connection *speaker, const char *text, size_t size);
void talk_posted(struct connection *speaker);
void talk_cycle(void);

struct totals {
    uint64_t deliveries, messages, cycles;
};
struct totals talk_totals(void);
void talk_measure(double from, double until);
double talk_percentile(double share);

/* template.c */
size_t template_fill(char *at, size_t room, const char *template, const struct log *log, uint32_t number,
                     const struct connection *connection);
const char *find_number(const char *text, size_t size, const char *key, uint32_t *log, uint32_t *number);
