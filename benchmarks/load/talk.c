/* Who says what when, who has it, and how long it took.
 *
 * A message is in flight until the last of its readers has it, and until it is acknowledged where the server does
 * that: the same for every server, in whatever order it serves its readers. Each reader must get 0, 1, 2 … of its
 * log. The first message that is not the one that is due, or not as it was sent, ends the run: there is nothing
 * to be measured of a server that loses, doubles or disorders.
 */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 32 * 16, MOST_SENT = 1 << 16 };

static struct totals totals;
static uint64_t histogram[BUCKETS], timed;   /* latencies in µs */
static double measured_from = 1e300, measured_until = -1;
static uint32_t mask;
static double begun;                         /* when the talk began, for a pace */
static uint64_t paced;
static size_t text_size;

void talk_start(void)
{
    int most = 1;
    while (most < 2 * options.in_flight)
        most *= 2;
    mask = most - 1;
    text_size = strlen(options.text);
    log_count = options.rooms > options.speakers ? options.rooms : options.speakers;
    logs = calloc(log_count, sizeof *logs);
    if (!logs)
        die("no memory");
    for (int i = 0; i < log_count; i++) {
        logs[i].room = options.first_room + i % options.rooms;
        logs[i].needed = options.ack != NULL;
        logs[i].slots = options.speakers ? calloc(most, sizeof *logs[i].slots) : NULL;
        if (options.speakers) {
            logs[i].speaker = speakers + i % options.speakers;
            logs[i].speaker->logs++;
        }
    }
    for (int i = 0; i < options.readers; i++) {
        readers[i].log = logs + i % options.rooms;
        readers[i].log->needed++;
    }
    for (int i = 0; i < log_count && options.speakers; i++)
        if (!logs[i].needed)
            die("nobody would have the messages: give --readers or --ack");
}

struct totals talk_totals(void)
{
    return totals;
}

void talk_measure(double from, double until)
{
    measured_from = from;
    measured_until = until;
}

/* -- how long it took --------------------------------------------------------------------------------- */

/* Sixteen buckets for each doubling. */
static int bucket(double microseconds)
{
    uint64_t value = microseconds < 1 ? 1 : (uint64_t)(microseconds * 16);
    int power = 63 - __builtin_clzll(value);
    int index = power < 4 ? (int)value : (power - 4) * 16 + (int)(value >> (power - 4));
    return index < BUCKETS ? index : BUCKETS - 1;
}

/* The upper bound of the bucket in which the percentile lies, in milliseconds. */
double talk_percentile(double share)
{
    uint64_t seen = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += histogram[i]) && seen >= share * timed) {
            int power = i / 16 - 1;
            double value = power < 1 ? i + 1 : (double)((uint64_t)(i % 16 + 17) << power);
            return value / 16 / 1000;
        }
    return 0;
}

static void time_it(const struct slot *slot)
{
    if (slot->at >= measured_from && slot->at < measured_until) {
        histogram[bucket((now - slot->at) * 1e6)]++;
        timed++;
    }
}

/* -- who has it --------------------------------------------------------------------------------------- */

static void got(struct log *log, uint32_t number)
{
    if (!log->slots)
        return; /* somebody else speaks */
    struct slot *slot = log->slots + (number & mask);
    slot->got++;
    while (log->done < log->spoken && log->slots[log->done & mask].got == log->needed) {
        log->done++;
        log->speaker->in_flight--;
        totals.messages++;
    }
}

static void take(struct connection *reader, uint32_t log_number, uint32_t number, const char *rest, size_t size)
{
    struct log *log = reader->log;
    if (log_number != (uint32_t)(log - logs))
        die("reader %d of log %ld got message %u of log %u", reader->number, (long)(log - logs), number,
            log_number);
    if (number != reader->next)
        die("reader %d got message %u where %u was due: %s", reader->number, number, reader->next,
            number < reader->next ? "doubled or out of order" : "lost or out of order");
    if (log->slots && number >= log->spoken)
        die("reader %d got message %u, which was not sent", reader->number, number);
    if (size < text_size + 2 || rest[0] != '~' || rest[1] != ' ' || memcmp(rest + 2, options.text, text_size))
        die("reader %d got message %u, but not as it was sent: %.*s", reader->number, number,
            size > 200 ? 200 : (int)size, rest);
    reader->next++;
    totals.deliveries++;
    if (log->slots)
        time_it(log->slots + (number & mask));
    got(log, number);
}

/* Take the messages in `text`, any number of them; returns how many. */
int talk_messages(struct connection *reader, const char *text, size_t size)
{
    const char *end = text + size;
    uint32_t log, number;
    int count = 0;
    for (; (text = find_number(text, end - text, "~", &log, &number)); count++)
        take(reader, log, number, text, end - text);
    return count;
}

/* Where the server's number stands. It is looked for first where it stood last: searching is half of our work. */
static const char *find_seq(const char *text, size_t size)
{
    static size_t last;
    size_t length = strlen(options.seq);
    const char *found = text + last;
    if (last + length > size || memcmp(found, options.seq, length))
        found = memmem(text, size, options.seq, length);
    if (!found)
        return NULL;
    last = found - text;
    return found + length;
}

static void check_seq(struct connection *reader, const char *text, size_t size)
{
    const char *found = find_seq(text, size);
    long long seq = found ? strtoll(found, NULL, 10) : -1;
    if (seq < 0)
        die("reader %d got a message without %s: %.*s", reader->number, options.seq, (int)size, text);
    if (reader->seq >= 0 && seq != reader->seq + 1)
        die("reader %d got the server's number %lld after %lld", reader->number, seq, reader->seq);
    reader->seq = seq;
}

/* Take one frame or event, which may be a message, or say that the reader is in. */
void talk_message(struct connection *reader, const char *text, size_t size)
{
    if (reader->state == READY && talk_messages(reader, text, size)) {
        if (options.seq)
            check_seq(reader, text, size);
        return;
    }
    snprintf(odd, sizeof odd, "%.*s", size > 250 ? 250 : (int)size, text);
    if (options.error && strstr(odd, options.error))
        die("the server said: %s", odd);
    if (reader->state == GREETED && reader->door->ready && strstr(odd, reader->door->ready)) {
        const char *cursor = options.seq ? strstr(odd, "\"cursor\":") : NULL;
        if (cursor && reader->seq < 0)
            reader->seq = atoll(cursor + 9); /* nothing was received yet: where the room is */
        wire_ready(reader);
    }
}

/* Take a frame that came to a speaker: an ack, or what it hears besides. */
void talk_ack(struct connection *speaker, const char *text, size_t size)
{
    uint32_t log_number, number;
    if (options.ack && memmem(text, size, options.ack, strlen(options.ack))
        && find_number(text, size, options.ack_number, &log_number, &number)) {
        struct log *log = logs + log_number;
        if (log_number >= (uint32_t)log_count || log->speaker != speaker)
            die("speaker %d got an ack for log %u", speaker->number, log_number);
        if (number != log->acked || number >= log->spoken)
            die("speaker %d got the ack for message %u where that for %u was due", speaker->number, number,
                log->acked);
        log->acked++;
        if (log->needed == 1)
            time_it(log->slots + (number & mask));
        got(log, number);
        return;
    }
    snprintf(odd, sizeof odd, "%.*s", size > 250 ? 250 : (int)size, text);
    if (options.error && strstr(odd, options.error))
        die("the server said to a speaker: %s", odd);
    if (speaker->state == GREETED && speaker->door->ready && strstr(odd, speaker->door->ready))
        wire_ready(speaker);
}

/* A POST was answered; it is its ack. */
void talk_posted(struct connection *speaker)
{
    speaker->busy = 0;
    if (!options.ack)
        return;
    struct log *log = logs + speaker->number; /* one log for each: main.c sees to it */
    if (log->needed == 1)
        time_it(log->slots + (log->acked & mask));
    got(log, log->acked++);
}

void talk_cycle(void)
{
    totals.cycles++;
}

/* -- what is said ------------------------------------------------------------------------------------- */

static void say(struct connection *speaker, double at)
{
    static char buffer[MOST_SENT];
    int stride = options.speakers, index = speaker->number + stride * (speaker->turn++ % speaker->logs);
    struct log *log = logs + index;
    uint32_t number = log->spoken;
    log->slots[number & mask] = (struct slot){.at = at};
    log->spoken++;
    speaker->in_flight++;
    size_t size = template_fill(buffer, sizeof buffer, options.send, log, number, NULL);
    if (speaker->door->transport == POST) {
        speaker->busy = 1;
        http_post(speaker, buffer, size);
    } else {
        websocket_text(speaker, buffer, size);
    }
}

/* Say what is due; returns how many seconds there are until the next is. */
static double speak(void)
{
    if (options.rate > 0) {
        double due;
        for (; (due = begun + paced / options.rate) <= now; paced++) {
            struct connection *speaker = speakers + paced % options.speakers;
            if (speaker->in_flight >= options.in_flight || speaker->busy)
                die("the server does not keep up with %g messages per second", options.rate);
            say(speaker, due);
        }
        return due - now;
    }
    for (int i = 0; i < options.speakers; i++)
        while (speakers[i].in_flight < options.in_flight && !speakers[i].busy)
            say(speakers + i, now);
    return 0.1;
}

void talk(double seconds)
{
    now = seconds_now();
    begun = now;
    paced = 0;
    double until = now + seconds, moved = now;
    struct totals before = totals;
    while (now < until && (!options.messages || totals.messages < options.messages)) {
        wire_turn(speak());
        if (memcmp(&before, &totals, sizeof totals)) {
            before = totals;
            moved = now;
        }
        if (options.rate <= 0 && now - moved > options.patience)
            die("nothing has come for %g s; last heard beside messages: %s", options.patience, odd);
    }
}

int talk_is_done(void)
{
    for (int i = 0; i < log_count; i++)
        if (logs[i].done < logs[i].spoken)
            return 0;
    return 1;
}
