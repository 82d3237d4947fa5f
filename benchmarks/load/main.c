/* A load client for chat servers: thousands of readers by WebSocket, event stream or poll on one epoll in one
 * thread, and speakers who keep messages in flight. It checks everything that it measures (talk.c).
 *
 *   load --port 8000 --path /ws --ready connected --speak-path /ws --readers 1000 --in-flight 4 --seconds 5
 *
 * All readers come in first, then the speakers. Where --port is said several times they come to these servers in
 * turn, a room's as well as any, and the speakers to the first.
 *
 * --rooms rooms, from --first-room on, have the readers in turn; a
 * speaker speaks into its rooms in turn. Without --rate each speaker keeps --in-flight messages in flight; with it
 * they are said at that pace, and timed from when they were due.
 *
 * --patience is how many seconds nothing may come though something is under way, and how long the last messages
 * may take.
 *
 * One line of JSON says what happened within --seconds, after --warmup; with --messages both end before, once so
 * many are through. Anything wrong (a message lost, doubled,
 * out of order or changed, a connection cut, an error said) ends the run with one line on standard error and exit
 * status 1, and nothing is printed that could be taken for a result.
 *
 * --hold only keeps the readers connected until standard input ends. It prints one line when they are in, and one
 * whenever all of them are and have the same number of messages; with --come-back those whose connection ends
 * come back with their cursor.
 *
 * Only 127.0.0.1 is ever contacted. Built by benchmarks/bench/client.py with: cc -O2 *.c
 */
#include "load.h"
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct options options = {
    .readers = 0, .rooms = 1, .speakers = 0, .in_flight = 1, .first_room = 1, .opening = 64, .seconds = 5,
    .warmup = 1, .patience = 30, .text = "", .send = "%m", .ack_number = "~",
    .reader = {.path = "/"}, .speaker = {.path = "/"},
};
struct log *logs;
struct connection *readers, *speakers;
int log_count, live, pending;
char odd[300];
double now;

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* -- what the machine spent --------------------------------------------------------------------------- */

struct spent {
    double own, watched, all;   /* seconds of CPU: ours, the server's, everybody's and the kernel's */
};

static double watched_cpu(void)
{
    unsigned long sum = 0;
    for (int i = 0; i < options.watched_count; i++) {
        char name[64], line[1024] = "";
        unsigned long user = 0, system = 0;
        snprintf(name, sizeof name, "/proc/%d/stat", options.watched[i]);
        FILE *file = fopen(name, "r");
        if (!file || !fgets(line, sizeof line, file) || !strrchr(line, ')'))
            die("the watched process %d is gone", options.watched[i]);
        sscanf(strrchr(line, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
        fclose(file);
        sum += user + system;
    }
    return (double)sum / sysconf(_SC_CLK_TCK);
}

static double all_cpu(void)
{
    unsigned long user = 0, nice = 0, system = 0, irq = 0, softirq = 0, steal = 0;
    FILE *file = fopen("/proc/stat", "r");
    if (!file)
        return 0;
    if (fscanf(file, "cpu %lu %lu %lu %*u %*u %lu %lu %lu", &user, &nice, &system, &irq, &softirq, &steal) != 6)
        user = 0;
    fclose(file);
    return (double)(user + nice + system + irq + softirq + steal) / sysconf(_SC_CLK_TCK);
}

static struct spent spent(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    struct timeval user = usage.ru_utime, system = usage.ru_stime;
    double own = user.tv_sec + system.tv_sec + (user.tv_usec + system.tv_usec) / 1e6;
    return (struct spent){.own = own, .watched = watched_cpu(), .all = all_cpu()};
}

/* -- the run ------------------------------------------------------------------------------------------ */

/* Let readers whose connection ended try again, in turn, some at a time. */
static void come_back(void)
{
    static int at;
    for (int looked = 0; looked < options.readers && pending < options.opening; looked++) {
        at = (at + 1) % options.readers;
        if (live + pending >= options.readers)
            return;
        if (readers[at].state == CLOSED) {
            int before = pending;
            wire_open(readers + at);
            if (pending == before)
                return; /* the server is not back yet */
        }
    }
}

/* Bring all of `connections` in, some at a time; returns the seconds it took. */
static double open_all(struct connection *connections, int count)
{
    int opened = 0, before = live;
    double start = seconds_now();
    now = start;
    while (live - before < count) {
        while (opened < count && pending < options.opening)
            wire_open(connections + opened++);
        if (options.come_back && opened == count)
            come_back();
        wire_turn(0.1);
        if (now - start > OPENING_SECONDS)
            die("only %d of %d are in after %d s; last heard: %s", live - before, count, OPENING_SECONDS, odd);
    }
    return now - start;
}

static void drain(void)
{
    double deadline = seconds_now() + options.patience;
    while (!talk_is_done()) {
        wire_turn(0.1);
        if (now > deadline)
            die("not all messages have come to everybody %g s after the last was sent", options.patience);
    }
}

static void measure(double opening)
{
    double start = seconds_now();
    struct spent before = spent();
    struct totals total = talk_totals();
    talk_measure(start, start + options.seconds);
    talk(options.seconds);
    double seconds = seconds_now() - start;
    struct spent after = spent();
    struct totals totals = talk_totals();
    double own = after.own - before.own, watched = after.watched - before.watched;
    double foreign = after.all - before.all - own - watched;
    uint64_t deliveries = totals.deliveries - total.deliveries, messages = totals.messages - total.messages;
    uint64_t cycles = totals.cycles - total.cycles;
    drain();
    printf("{\"readers\": %d, \"rooms\": %d, \"speakers\": %d, \"in_flight\": %d, \"opened_per_s\": %.1f, "
           "\"seconds\": %.3f, \"deliveries\": %llu, \"messages\": %llu, \"cycles\": %llu, "
           "\"deliveries_per_s\": %.1f, \"messages_per_s\": %.1f, \"cycles_per_s\": %.1f, "
           "\"p50_ms\": %.4f, \"p99_ms\": %.4f, \"p999_ms\": %.4f, "
           "\"client_cpu\": %.3f, \"server_cpu\": %.3f, \"foreign_cpu\": %.3f, \"server_cpu_s\": %.3f}\n",
           options.readers, options.rooms, options.speakers, options.in_flight, options.readers / (opening > 0 ? opening : 1), seconds,
           (unsigned long long)deliveries, (unsigned long long)messages, (unsigned long long)cycles,
           deliveries / seconds, messages / seconds, cycles / seconds, talk_percentile(0.5), talk_percentile(0.99),
           talk_percentile(0.999), own / seconds, watched / seconds, foreign > 0 ? foreign / seconds : 0, watched);
}

/* How many messages all readers have; -1 where some have more than others. */
static long same_for_all(void)
{
    for (int i = 1; i < options.readers; i++)
        if (readers[i].next != readers[0].next)
            return -1;
    return readers[0].next;
}

static void hold(double opening)
{
    printf("{\"opened\": %d, \"opened_per_s\": %.1f}\n", options.readers, options.readers / opening);
    fflush(stdout);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    long said_next = -1;
    int said_live = -1;
    uint64_t deliveries = 0;
    char byte;
    while (poll(&input, 1, 0) == 0 || read(0, &byte, 1) > 0) {
        come_back();
        wire_turn(0.01);
        if (live < options.readers)
            said_live = -1;
        else if (said_live != live || talk_totals().deliveries != deliveries) {
            long next = same_for_all();
            deliveries = talk_totals().deliveries;
            if (next < 0 || (said_live == live && said_next == next))
                continue;
            said_live = live;
            said_next = next;
            printf("{\"live\": %d, \"next\": %ld, \"at\": %.4f}\n", live, next, now);
            fflush(stdout);
        }
    }
    if (live < options.readers)
        die("only %d of %d are still there", live, options.readers);
}

/* -- options ------------------------------------------------------------------------------------------ */

static enum transport transport(const char *word)
{
    static const char *const names[] = {"websocket", "stream", "poll", "page", "post"};
    for (int i = 0; i < 5; i++)
        if (!strcmp(word, names[i]))
            return (enum transport)i;
    die("there is no transport %s", word);
}

static void read_options(int count, char **words)
{
    enum { PORT = 1, READERS, ROOMS, FIRST_ROOM, SPEAKERS, IN_FLIGHT, SECONDS, WARMUP, RATE, WATCH, OPENING, HOLD,
           COME_BACK, TRANSPORT, PATH, FIRST_PATH, SUBPROTOCOL, HEADER, HELLO, READY_, SPEAK, SPEAK_PATH,
           SPEAK_SUBPROTOCOL, SPEAK_HEADER, SPEAK_HELLO, SPEAK_READY, TEXT, SEND, ACK, ACK_NUMBER, SEQ, CURSOR_,
           ERROR, BEAT, BEAT_ANSWER, PATIENCE, MESSAGES };
    static const struct option known[] = {
        {"port", 1, 0, PORT}, {"readers", 1, 0, READERS}, {"rooms", 1, 0, ROOMS}, {"first-room", 1, 0, FIRST_ROOM},
        {"speakers", 1, 0, SPEAKERS}, {"in-flight", 1, 0, IN_FLIGHT}, {"seconds", 1, 0, SECONDS},
        {"warmup", 1, 0, WARMUP}, {"rate", 1, 0, RATE}, {"watch", 1, 0, WATCH}, {"opening", 1, 0, OPENING},
        {"hold", 0, 0, HOLD}, {"come-back", 0, 0, COME_BACK}, {"transport", 1, 0, TRANSPORT}, {"path", 1, 0, PATH},
        {"first-path", 1, 0, FIRST_PATH}, {"subprotocol", 1, 0, SUBPROTOCOL}, {"header", 1, 0, HEADER},
        {"hello", 1, 0, HELLO}, {"ready", 1, 0, READY_}, {"speak", 1, 0, SPEAK}, {"speak-path", 1, 0, SPEAK_PATH},
        {"speak-subprotocol", 1, 0, SPEAK_SUBPROTOCOL}, {"speak-header", 1, 0, SPEAK_HEADER},
        {"speak-hello", 1, 0, SPEAK_HELLO}, {"speak-ready", 1, 0, SPEAK_READY}, {"text", 1, 0, TEXT},
        {"send", 1, 0, SEND}, {"ack", 1, 0, ACK}, {"ack-number", 1, 0, ACK_NUMBER}, {"seq", 1, 0, SEQ},
        {"cursor", 1, 0, CURSOR_}, {"error", 1, 0, ERROR}, {"beat", 1, 0, BEAT},
        {"beat-answer", 1, 0, BEAT_ANSWER}, {"patience", 1, 0, PATIENCE}, {"messages", 1, 0, MESSAGES}, {0},
    };
    for (int option; (option = getopt_long(count, words, "", known, NULL)) != -1;)
        switch (option) {
        case PORT:
            if (options.server_count == MOST_SERVERS)
                die("at most %d servers can be asked", MOST_SERVERS);
            options.servers[options.server_count++] = atoi(optarg);
            options.port = options.servers[0];
            break;
        case READERS: options.readers = atoi(optarg); break;
        case ROOMS: options.rooms = atoi(optarg); break;
        case FIRST_ROOM: options.first_room = atoi(optarg); break;
        case SPEAKERS: options.speakers = atoi(optarg); break;
        case IN_FLIGHT: options.in_flight = atoi(optarg); break;
        case SECONDS: options.seconds = atof(optarg); break;
        case WARMUP: options.warmup = atof(optarg); break;
        case RATE: options.rate = atof(optarg); break;
        case WATCH:
            if (options.watched_count == MOST_WATCHED)
                die("at most %d processes can be watched", MOST_WATCHED);
            options.watched[options.watched_count++] = atoi(optarg);
            break;
        case OPENING: options.opening = atoi(optarg); break;
        case HOLD: options.hold = 1; break;
        case COME_BACK: options.come_back = 1; break;
        case TRANSPORT: options.reader.transport = transport(optarg); break;
        case PATH: options.reader.path = optarg; break;
        case FIRST_PATH: options.reader.first_path = optarg; break;
        case SUBPROTOCOL: options.reader.subprotocol = optarg; break;
        case HEADER: options.reader.header = optarg; break;
        case HELLO: options.reader.hello = optarg; break;
        case READY_: options.reader.ready = optarg; break;
        case SPEAK: options.speaker.transport = transport(optarg); break;
        case SPEAK_PATH: options.speaker.path = optarg; break;
        case SPEAK_SUBPROTOCOL: options.speaker.subprotocol = optarg; break;
        case SPEAK_HEADER: options.speaker.header = optarg; break;
        case SPEAK_HELLO: options.speaker.hello = optarg; break;
        case SPEAK_READY: options.speaker.ready = optarg; break;
        case TEXT: options.text = optarg; break;
        case SEND: options.send = optarg; break;
        case ACK: options.ack = optarg; break;
        case ACK_NUMBER: options.ack_number = optarg; break;
        case SEQ: options.seq = optarg; break;
        case CURSOR_: options.cursor = optarg; break;
        case ERROR: options.error = optarg; break;
        case BEAT: options.beat = optarg; break;
        case BEAT_ANSWER: options.beat_answer = optarg; break;
        case PATIENCE: options.patience = atof(optarg); break;
        case MESSAGES: options.messages = strtoull(optarg, NULL, 10); break;
        default: exit(2);
        }
}

static void check_options(void)
{
    if (!options.server_count)
        die("--port is missing");
    for (int i = 0; i < options.server_count; i++)
        if (options.servers[i] < 1 || options.servers[i] > 65535)
            die("%d is no port", options.servers[i]);
    if (options.readers < 0 || options.speakers < 0 || options.readers + options.speakers < 1
        || options.readers + options.speakers > MOST_CONNECTIONS)
        die("--readers and --speakers together are 1 to %d", MOST_CONNECTIONS);
    if (options.rooms < 1 || options.opening < 1)
        die("--rooms and --opening are at least 1");
    if (options.readers && options.speakers > options.rooms)
        die("where there are readers a room has one speaker: several would be in no order");
    if (options.speaker.transport == POST && (options.in_flight > 1 || options.rooms > options.speakers))
        die("a POST speaks with one message in flight, into a room of its own");
    if (options.come_back && (!options.hold || options.speakers))
        die("--come-back goes with --hold, and without speakers");
    if (options.in_flight < 1 || options.in_flight > MOST_IN_FLIGHT)
        die("--in-flight is 1 to %d", MOST_IN_FLIGHT);
    if (!(options.seconds > 0 && options.seconds <= MOST_SECONDS && options.warmup >= 0 && options.warmup <= 60))
        die("--seconds is up to %d, --warmup up to 60", MOST_SECONDS);
    if (options.reader.transport == POLL && !options.cursor)
        die("polls need --cursor");
    if (!options.beat != !options.beat_answer)
        die("--beat and --beat-answer belong together");
    if (strpbrk(options.text, "~%\"\\"))
        die("--text has none of ~ %% \" and \\: it must look the same in every format");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if ((rlim_t)(options.readers + options.speakers + 20) > files.rlim_cur)
        die("the limit of open files, %llu, is too low", (unsigned long long)files.rlim_cur);
}

static struct connection *connections(int count, enum role role, const struct door *door)
{
    struct connection *all = calloc(count ? count : 1, sizeof *all);
    if (!all)
        die("no memory");
    for (int i = 0; i < count; i++)
        all[i] = (struct connection){.number = i, .role = role, .door = door, .seq = -1};
    return all;
}

int main(int count, char **words)
{
    read_options(count, words);
    check_options();
    readers = connections(options.readers, READER, &options.reader);
    speakers = connections(options.speakers, SPEAKER, &options.speaker);
    talk_start();
    wire_start();
    double opening = open_all(readers, options.readers);
    open_all(speakers, options.speakers);
    if (options.hold) {
        hold(opening);
        return 0;
    }
    talk(options.warmup);
    measure(opening);
    return 0;
}
