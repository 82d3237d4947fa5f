/* A load client for chat servers: many WebSocket readers on one epoll, one of which talks.
 *
 *   load --port 8000 --path /ws --readers 1000 --in-flight 4 --seconds 5 --send '~%d~ hello'
 *
 * It opens all readers first. The last one is the speaker: it keeps --in-flight messages on their way, counted
 * by its own copies coming back, because a plain chat acknowledges nothing. In --send every %d becomes the
 * message's number, ten digits; the readers look for the number between two tildes. Each has to see 0, 1, 2 …
 * without a gap, and what is still on its way at the end is waited for: whatever is missing then is lost.
 *
 * --deflate offers permessage-deflate (RFC 7692) as every browser does; what a server then compresses is
 * inflated, so that each delivery is still looked at. Our own frames stay plain, which the RFC allows.
 *
 * One line of JSON says what happened within --seconds, after --warmup. Only 127.0.0.1 is ever contacted.
 * Built by rig.py with: cc -O2 -o load load.c -lz
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum {
    MOST_READERS = 20000,
    MOST_IN_FLIGHT = 10000,
    MOST_SECONDS = 600,
    OPENING = 64,               /* handshakes that may be under way at once */
    OPENING_SECONDS = 120,
    DRAIN_SECONDS = 10,         /* for what is still on its way when the time is up */
    DIGITS = 10,
    BUFFER = 1 << 18,           /* bytes taken from a socket at once */
    REST = 1 << 14,             /* no frame may be longer */
    SENT = 1 << 16,             /* how many times of sending are remembered: a power of two */
    BUCKETS = 32 * 16,
};

enum opcode { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10, COMPRESSED = 0x40 };
enum state { SHAKING, GREETED, READY };

struct connection {
    int fd;
    enum state state;
    uint32_t next;              /* the number of the message that has to come now */
    uint32_t kept;              /* bytes in `rest`: the beginning of a frame */
    char *rest;
    z_stream *inflater;         /* of a connection whose server compresses */
    int forgets;                /* whether each message is compressed by itself */
};

static struct options {
    int port, readers, in_flight, watch, deflate;
    double seconds, warmup;
    const char *path, *subprotocol, *header, *hello, *ready, *send;
} options = {.readers = 1000, .in_flight = 4, .seconds = 5, .warmup = 1, .path = "/", .header = "", .send = "~%d~"};

static struct connection *connections, *speaker;
static int epoll, opened, ready, compressing;
static char buffer[BUFFER];
static char odd[200];           /* the newest frame that was no message: it explains silence */
static double now;

static uint32_t spoken;                             /* messages sent so far */
static struct { uint32_t number; double at; } sent[SENT];
static uint64_t delivered, lost, disordered;
static uint64_t histogram[BUCKETS], timed;          /* latencies in µs, of the time that is measured */
static int measuring;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* -- what goes out ------------------------------------------------------------------------------------ */

static void write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t written = send(fd, data, size, MSG_NOSIGNAL);
        if (written < 0 && errno != EAGAIN)
            die("the server hung up: %s", strerror(errno));
        if (written < 0) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            if (poll(&writable, 1, 10000) <= 0)
                die("the server reads nothing for 10 s");
            continue;
        }
        data += written;
        size -= written;
    }
}

/* Write one masked frame to `at` (RFC 6455, section 5.2); returns its size. */
static size_t put_frame(char *at, enum opcode opcode, const char *payload, size_t size)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    char *start = at;
    *at++ = 0x80 | opcode;
    if (size < 126) {
        *at++ = 0x80 | size;
    } else {
        *at++ = (char)(0x80 | 126);
        *at++ = size >> 8;
        *at++ = size & 0xff;
    }
    memcpy(at, mask, 4);
    at += 4;
    for (size_t i = 0; i < size; i++)
        *at++ = payload[i] ^ mask[i % 4];
    return at - start;
}

static void send_frame(struct connection *connection, enum opcode opcode, const char *payload, size_t size)
{
    static char frame[REST + 8];
    write_all(connection->fd, frame, put_frame(frame, opcode, payload, size));
}

/* The text of --send with `number` in place of every %d; returns its size. */
static size_t put_message(char *at, uint32_t number)
{
    char digits[DIGITS + 1], *start = at;
    snprintf(digits, sizeof digits, "%0*u", DIGITS, number);
    for (const char *from = options.send; *from;) {
        if (from[0] == '%' && from[1] == 'd') {
            memcpy(at, digits, DIGITS);
            at += DIGITS;
            from += 2;
        } else {
            *at++ = *from++;
        }
    }
    return at - start;
}

/* Send as many messages as the window has room for, in one write. */
static void speak(void)
{
    static char frames[BUFFER + REST], text[REST];
    size_t size = 0;
    now = seconds_now();
    while (spoken - speaker->next < (uint32_t)options.in_flight && size < BUFFER) {
        size += put_frame(frames + size, TEXT, text, put_message(text, spoken));
        sent[spoken % SENT].number = spoken;
        sent[spoken % SENT].at = now;
        spoken++;
    }
    write_all(speaker->fd, frames, size);
}

/* -- what comes in ------------------------------------------------------------------------------------ */

/* Sixteen buckets for each doubling: 6 % of error at most. */
static int bucket(uint32_t microseconds)
{
    int shift = microseconds < 32 ? 0 : 27 - __builtin_clz(microseconds);
    return shift * 16 + (microseconds >> shift);
}

static double percentile(double share)
{
    uint64_t seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (timed && seen >= share * timed) {
            int shift = i < 32 ? 0 : i / 16 - 1;
            return ((uint64_t)(i - shift * 16) << shift) / 1e3;
        }
    }
    return 0;
}

static void take_message(struct connection *connection, uint32_t number)
{
    if (number < connection->next) {
        disordered++;
        return;
    }
    lost += number - connection->next;
    connection->next = number + 1;
    delivered++;
    if (measuring && sent[number % SENT].number == number) {
        histogram[bucket((now - sent[number % SENT].at) * 1e6)]++;
        timed++;
    }
}

static void become_ready(struct connection *connection)
{
    connection->state = READY;
    ready++;
}

static void take_text(struct connection *connection, char *text, size_t size)
{
    char *mark = memchr(text, '~', size);
    if (mark && mark + DIGITS + 1 < text + size && mark[DIGITS + 1] == '~') {
        take_message(connection, strtoul(mark + 1, NULL, 10));
    } else if (connection->state == GREETED && memmem(text, size, options.ready, strlen(options.ready))) {
        become_ready(connection);
    } else {
        snprintf(odd, sizeof odd, "%.*s", (int)size, text);
    }
}

/* Take a compressed text (RFC 7692, section 7.2.2). */
static void take_compressed(struct connection *connection, char *payload, size_t size)
{
    static char text[REST];
    static char tail[4] = {0, 0, (char)0xff, (char)0xff};
    z_stream *inflater = connection->inflater;
    if (!inflater)
        die("a compressed frame, though compression was not agreed on");
    inflater->next_out = (Bytef *)text;
    inflater->avail_out = REST;
    for (int part = 0; part < 2; part++) {
        inflater->next_in = (Bytef *)(part ? tail : payload);
        inflater->avail_in = part ? sizeof tail : size;
        int result = inflate(inflater, Z_SYNC_FLUSH);
        if ((result != Z_OK && result != Z_BUF_ERROR) || inflater->avail_in)
            die("a frame cannot be inflated: %s", inflater->msg ? inflater->msg : "too long");
    }
    take_text(connection, text, REST - inflater->avail_out);
    if (connection->forgets)
        inflateReset(inflater);
}

/* Take one frame from `at`; returns its size, 0 where it is not complete yet. */
static size_t take_frame(struct connection *connection, char *at, char *end)
{
    unsigned char *head = (unsigned char *)at;
    if (end - at < 4 && (end - at < 2 || head[1] >= 126))
        return 0;
    size_t size = head[1], length = 2;
    if (size == 126) {
        size = head[2] << 8 | head[3];
        length = 4;
    }
    if (head[1] > 126 || length + size > REST)
        die("a frame is longer than %d bytes or masked", REST);
    if ((size_t)(end - at) < length + size)
        return 0;
    char *payload = at + length;
    switch (head[0]) {
    case 0x80 | TEXT:
        take_text(connection, payload, size);
        break;
    case 0x80 | COMPRESSED | TEXT:
        take_compressed(connection, payload, size);
        break;
    case 0x80 | PING:
        send_frame(connection, PONG, payload, size);
        break;
    case 0x80 | PONG:
        break;
    case 0x80 | CLOSE:
        die("the server closed with %u %.*s", (unsigned char)payload[0] << 8 | (unsigned char)payload[1],
            size > 2 ? (int)size - 2 : 0, payload + 2);
    default:
        die("unexpected first byte of a frame: %#x (a cut frame?)", head[0]);
    }
    return length + size;
}

/* Take the answer to the handshake; returns its size, 0 where it is not complete yet. */
static size_t take_handshake(struct connection *connection, char *at, char *end)
{
    char *blank = memmem(at, end - at, "\r\n\r\n", 4);
    if (!blank)
        return 0;
    if (strncmp(at, "HTTP/1.1 101", 12))
        die("the handshake was refused: %.*s", (int)(blank - at), at);
    *blank = 0;
    if (strcasestr(at, "permessage-deflate")) {
        connection->inflater = calloc(1, sizeof *connection->inflater);
        connection->forgets = strcasestr(at, "server_no_context_takeover") != NULL;
        if (!connection->inflater || inflateInit2(connection->inflater, -MAX_WBITS) != Z_OK)
            die("no memory");
        compressing++;
    }
    connection->state = GREETED;
    if (options.hello)
        send_frame(connection, TEXT, options.hello, strlen(options.hello));
    if (!options.ready)
        become_ready(connection);
    return blank + 4 - at;
}

static void receive(struct connection *connection)
{
    memcpy(buffer, connection->rest, connection->kept);
    ssize_t got = recv(connection->fd, buffer + connection->kept, BUFFER - connection->kept, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        die("the server hung up: %s", got ? strerror(errno) : "end of file");
    char *at = buffer, *end = buffer + connection->kept + got;
    size_t size;
    do {
        size = (connection->state == SHAKING ? take_handshake : take_frame)(connection, at, end);
        at += size;
    } while (size && at < end);
    if (end - at > REST)
        die("the answer to the handshake has no end");
    connection->kept = end - at;
    memcpy(connection->rest, at, connection->kept);
}

/* One turn of the loop: whatever has come, or nothing after `milliseconds`. */
static void turn(int milliseconds)
{
    struct epoll_event events[1024];
    int count = epoll_wait(epoll, events, 1024, milliseconds);
    now = seconds_now();
    for (int i = 0; i < count; i++)
        receive(events[i].data.ptr);
}

/* -- the run ------------------------------------------------------------------------------------------ */

static void open_connection(struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        die("reader %d cannot connect: %s", opened, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    *connection = (struct connection){.fd = fd, .rest = malloc(REST)};

    char request[8192];
    int size = snprintf(request, sizeof request,
        "GET %.1000s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
        options.path, options.port);
    if (options.subprotocol)
        size += snprintf(request + size, 256, "Sec-WebSocket-Protocol: %.200s\r\n", options.subprotocol);
    if (options.deflate)
        size += snprintf(request + size, 256,
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
    size += snprintf(request + size, 4096, "%.4000s%s\r\n", options.header, *options.header ? "\r\n" : "");
    if (!connection->rest)
        die("no memory");
    write_all(fd, request, size);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void open_all(void)
{
    double deadline = seconds_now() + OPENING_SECONDS;
    connections = calloc(options.readers, sizeof *connections);
    speaker = connections + options.readers - 1;
    while (ready < options.readers) {
        for (; opened < options.readers && opened - ready < OPENING; opened++)
            open_connection(connections + opened);
        turn(100);
        if (now > deadline)
            die("only %d of %d readers are ready after %d s; last heard: %s", ready, options.readers,
                OPENING_SECONDS, odd);
    }
}

static void talk(double seconds)
{
    double until = seconds_now() + seconds;
    while (now < until) {
        speak();
        turn(100);
    }
}

static void drain(void)
{
    double deadline = seconds_now() + DRAIN_SECONDS;
    while (delivered + lost < (uint64_t)spoken * options.readers && now < deadline)
        turn(100);
    for (struct connection *connection = connections; connection <= speaker; connection++)
        lost += spoken - connection->next;
}

static double own_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    struct timeval user = usage.ru_utime, system = usage.ru_stime;
    return user.tv_sec + system.tv_sec + (user.tv_usec + system.tv_usec) / 1e6;
}

/* Seconds of CPU of the process --watch, all of its threads. */
static double watched_cpu(void)
{
    char name[64], line[1024] = "";
    unsigned long user = 0, system = 0;
    snprintf(name, sizeof name, "/proc/%d/stat", options.watch);
    FILE *file = options.watch ? fopen(name, "r") : NULL;
    if (file && fgets(line, sizeof line, file) && strrchr(line, ')'))
        sscanf(strrchr(line, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    if (file)
        fclose(file);
    return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

static void measure(void)
{
    uint64_t deliveries = delivered;
    uint32_t messages = speaker->next;
    double start = seconds_now(), cpu = own_cpu(), watched = watched_cpu();
    measuring = 1;
    talk(options.seconds);
    measuring = 0;
    double seconds = seconds_now() - start;
    cpu = own_cpu() - cpu;
    watched = watched_cpu() - watched;
    deliveries = delivered - deliveries;
    messages = speaker->next - messages;
    drain();
    if (lost)
        fprintf(stderr, "load: last heard beside messages: %s\n", odd);
    printf("{\"readers\": %d, \"in_flight\": %d, \"compressing\": %d, \"seconds\": %.3f, \"deliveries\": %llu, \"messages\": %u, "
           "\"deliveries_per_s\": %.0f, \"messages_per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"client_cpu\": %.3f, \"server_cpu\": %.3f, \"lost\": %llu, \"disordered\": %llu}\n",
           options.readers, options.in_flight, compressing, seconds, (unsigned long long)deliveries, messages,
           deliveries / seconds, messages / seconds, percentile(0.5), percentile(0.99),
           cpu / seconds, watched / seconds, (unsigned long long)lost, (unsigned long long)disordered);
}

static void read_options(int count, char **words)
{
    static const struct option known[] = {
        {"port", 1, 0, 'p'}, {"path", 1, 0, 'a'}, {"subprotocol", 1, 0, 'b'}, {"header", 1, 0, 'h'},
        {"hello", 1, 0, 'e'}, {"ready", 1, 0, 'y'}, {"send", 1, 0, 'm'}, {"readers", 1, 0, 'r'},
        {"in-flight", 1, 0, 'f'}, {"seconds", 1, 0, 's'}, {"warmup", 1, 0, 'w'}, {"watch", 1, 0, 'c'},
        {"deflate", 0, 0, 'd'}, {0},
    };
    for (int option; (option = getopt_long(count, words, "", known, NULL)) != -1;)
        switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 'a': options.path = optarg; break;
        case 'b': options.subprotocol = optarg; break;
        case 'h': options.header = optarg; break;
        case 'e': options.hello = optarg; break;
        case 'y': options.ready = optarg; break;
        case 'm': options.send = optarg; break;
        case 'r': options.readers = atoi(optarg); break;
        case 'f': options.in_flight = atoi(optarg); break;
        case 's': options.seconds = atof(optarg); break;
        case 'w': options.warmup = atof(optarg); break;
        case 'c': options.watch = atoi(optarg); break;
        case 'd': options.deflate = 1; break;
        default: exit(2);
        }
    if (options.port < 1 || options.port > 65535)
        die("--port is missing");
    if (options.readers < 1 || options.readers > MOST_READERS)
        die("--readers is 1 to %d", MOST_READERS);
    if (options.in_flight < 1 || options.in_flight > MOST_IN_FLIGHT)
        die("--in-flight is 1 to %d", MOST_IN_FLIGHT);
    if (!(options.seconds > 0 && options.seconds <= MOST_SECONDS && options.warmup >= 0
          && options.warmup <= 60))
        die("--seconds is up to %d, --warmup up to 60", MOST_SECONDS);
    if (strlen(options.send) > REST / 8 || (options.hello && strlen(options.hello) > REST))
        die("--send or --hello is too long");
}

int main(int count, char **words)
{
    read_options(count, words);
    epoll = epoll_create1(0);
    open_all();
    talk(options.warmup);
    measure();
    return 0;
}
