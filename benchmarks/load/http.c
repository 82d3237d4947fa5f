/* HTTP/1.1 from the client's side: polls, pages and POSTs on connections that stay open, and event streams. */
#include "load.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HEAD = 1 << 15, MOST_REQUEST = 1 << 17 };

static char body[BUFFER];       /* of a chunked answer, its chunks put together */

/* -- requests ----------------------------------------------------------------------------------------- */

static void get(struct connection *connection, const char *path)
{
    char request[MOST_HEAD], target[4096], more[512] = "";
    const char *header = connection->door->header;
    template_fill(target, sizeof target, path, connection->log, 0, connection);
    if (connection->cursor && *connection->cursor && options.cursor && !strcmp(options.cursor, "validators"))
        snprintf(more, sizeof more, "%s", connection->cursor);
    int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%.8000s%s%s\r\n", target,
                        options.port, more, header ? header : "", header ? "\r\n" : "",
                        connection->door->transport == STREAM ? "Accept: text/event-stream\r\n" : "");
    wire_send(connection, request, size);
}

/* Ask again, from where the last answer ended. */
static void ask(struct connection *connection)
{
    get(connection, connection->door->path);
}

void http_open(struct connection *connection)
{
    const struct door *door = connection->door;
    connection->state = GREETED;
    if (door->transport == POST) {
        wire_ready(connection);
        return;
    }
    if (door->transport == POLL && !connection->cursor) {
        connection->cursor = calloc(1, CURSOR + 1);
        if (!connection->cursor)
            die("no memory");
    }
    get(connection, door->first_path ? door->first_path : door->path);
    if (door->transport == POLL && !door->first_path)
        wire_ready(connection);
}

void http_post(struct connection *connection, const char *data, size_t size)
{
    static char request[MOST_REQUEST];
    char path[4096];
    const char *header = connection->door->header;
    struct log *log = logs + connection->number;
    template_fill(path, sizeof path, connection->door->path, log, 0, connection);
    int length = snprintf(request, sizeof request,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%.8000s%sContent-Length: %zu\r\n\r\n%.*s", path, options.port,
        header ? header : "", header ? "\r\n" : "", size, (int)size, data);
    wire_send(connection, request, length);
}

/* -- answers ------------------------------------------------------------------------------------------ */

/* The value of a field in a head that ends with a zero; NULL where it has none. */
static const char *field(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);
    if (!found)
        return NULL;
    found += strlen(name);
    while (*found == ' ')
        found++;
    return found;
}

/* Put the chunks at `at` together in `body`; returns the size of all, 0 where they are not complete yet. */
static size_t join_chunks(char *at, char *end, size_t *body_size)
{
    char *start = at;
    *body_size = 0;
    for (;;) {
        char *line = memmem(at, end - at, "\r\n", 2);
        if (!line)
            return 0;
        size_t size = strtoul(at, NULL, 16);
        at = line + 2;
        if ((size_t)(end - at) < size + 2)
            return 0;
        if (*body_size + size > BUFFER)
            die("an answer is longer than %d bytes", BUFFER);
        memcpy(body + *body_size, at, size);
        *body_size += size;
        at += size + 2;
        if (!size)
            return at - start;
    }
}

/* Where the next poll asks from: the last value of --cursor in the answer, or the validators of its head. */
static void move_on(struct connection *connection, const char *head, const char *data, size_t size)
{
    if (!strcmp(options.cursor, "validators")) {
        const char *when = field(head, "\nLast-Modified:"), *tag = field(head, "\nEtag:");
        if (!when || !tag)
            die("a poll was answered without Last-Modified and Etag: %.300s", head);
        snprintf(connection->cursor, CURSOR, "If-Modified-Since: %.*s\r\nIf-None-Match: %.*s\r\n",
                 (int)strcspn(when, "\r"), when, (int)strcspn(tag, "\r"), tag);
        return;
    }
    const char *end = data + size, *found = NULL, *at = data;
    size_t length = strlen(options.cursor);
    while ((at = memmem(at, end - at, options.cursor, length)))
        found = at += length;
    if (!found)
        die("a poll was answered without %s: %.*s", options.cursor, size > 300 ? 300 : (int)size, data);
    while (found < end && (*found == ' ' || *found == '"'))
        found++;
    size_t most = 0;
    while (found + most < end && !strchr(",}\" ]", found[most]))
        most++;
    if (most > CURSOR)
        die("a cursor of %zu bytes", most);
    memcpy(connection->cursor, found, most);
    connection->cursor[most] = 0;
}

static void take_poll(struct connection *connection, int status, const char *head, const char *data, size_t size)
{
    if (status != 204) {
        talk_messages(connection, data, size);
        move_on(connection, head, data, size);
    }
    if (connection->state == GREETED)
        wire_ready(connection);
    else
        talk_cycle();
    ask(connection);
}

static void take_page(struct connection *connection, const char *data, size_t size)
{
    const char *wanted = connection->door->ready;
    if (wanted && !memmem(data, size, wanted, strlen(wanted)))
        die("a page without %s: %.*s", wanted, size > 300 ? 300 : (int)size, data);
    if (connection->state == GREETED)
        wire_ready(connection);
    else
        talk_cycle();
    ask(connection);
}

/* Take one answer; returns its size, 0 where it is not complete yet. */
static size_t take_answer(struct connection *connection, char *at, char *end)
{
    char *blank = memmem(at, end - at, "\r\n\r\n", 4);
    if (!blank)
        return 0;
    blank[2] = 0; /* the head's last line keeps its end */
    int status = atoi(at + 9);
    const char *length = field(at, "\nContent-Length:");
    char *data = blank + 4;
    size_t size = 0, all = 0;
    if (status == 204 || status == 304)
        all = data - at;
    else if (length && (size = strtoul(length, NULL, 10), (size_t)(end - data) >= size))
        all = data - at + size;
    else if (!length && field(at, "\nTransfer-Encoding:")) {
        size_t chunks = join_chunks(data, end, &size);
        all = chunks ? data - at + chunks : 0;
        data = body;
    } else if (!length)
        die("an answer of no known length: %.300s", at);
    if (!all) {
        blank[2] = '\r';
        return 0;
    }
    if (strncmp(at, "HTTP/1.1 2", 10))
        die("an answer was %.300s\n%.*s", at, size > 300 ? 300 : (int)size, data);
    switch (connection->door->transport) {
    case POLL: take_poll(connection, status, at, data, size); break;
    case PAGE: take_page(connection, data, size); break;
    default: talk_posted(connection);
    }
    return all;
}

/* -- event streams ------------------------------------------------------------------------------------ */

/* Copy what `at` … `end` carries to `to`, without the chunks' sizes; returns where it ends. */
static char *unchunk(struct connection *connection, const char *at, const char *end, char *to)
{
    while (at < end) {
        if (connection->chunk) {
            size_t size = (size_t)(end - at) < connection->chunk ? (size_t)(end - at) : connection->chunk;
            memcpy(to, at, size);
            to += size;
            at += size;
            connection->chunk -= size;
            continue;
        }
        /* The line before a size is the end of the last chunk, and empty. */
        char letter = *at++;
        if (isxdigit((unsigned char)letter)) {
            connection->chunk_size *= 16;
            connection->chunk_size += letter <= '9' ? letter - '0' : (letter | 0x20) - 'a' + 10;
            connection->digits++;
        } else if (letter == '\n' && connection->digits) {
            connection->chunk = connection->chunk_size;
            connection->chunk_size = connection->digits = 0;
            if (!connection->chunk)
                die("an event stream ended");
        } else if (letter != '\r' && letter != '\n') {
            die("an event stream's chunks make no sense");
        }
    }
    return to;
}

/* The empty line that ends an event; NULL where it has not come. By memchr: it is many times faster than memmem. */
static const char *event_end(const char *at, const char *end)
{
    while (at < end && (at = memchr(at, '\n', end - at)) && ++at < end)
        if (*at == '\n')
            return at - 1;
    return NULL;
}

static void take_events(struct connection *connection, const char *at, const char *end)
{
    const char *blank;
    while ((blank = event_end(at, end))) {
        talk_message(connection, at, blank - at);
        at = blank + 2;
    }
    connection->text_size = end - at;
    if (!connection->text_size)
        return;
    char *kept = malloc(connection->text_size);
    if (!kept)
        die("no memory");
    memcpy(kept, at, connection->text_size);
    free(connection->text);
    connection->text = kept;
}

static size_t take_stream(struct connection *connection, char *at, char *end)
{
    static char text[2 * BUFFER];
    if (!connection->head_came) {
        char *blank = memmem(at, end - at, "\r\n\r\n", 4);
        if (!blank)
            return 0;
        blank[2] = 0;
        if (strncmp(at, "HTTP/1.1 200", 12) || !strcasestr(at, "text/event-stream"))
            die("an event stream was answered with %.300s", at);
        connection->chunked = field(at, "\nTransfer-Encoding:") != NULL;
        connection->head_came = 1;
        if (!connection->door->ready)
            wire_ready(connection);
        return blank + 4 - at;
    }
    if (connection->text_size > BUFFER)
        die("an event is longer than %d bytes", BUFFER);
    memcpy(text, connection->text, connection->text_size);
    char *to = text + connection->text_size;
    if (connection->chunked) {
        to = unchunk(connection, at, end, to);
    } else {
        memcpy(to, at, end - at);
        to += end - at;
    }
    take_events(connection, text, to);
    return end - at;
}

size_t http_take(struct connection *connection, char *at, char *end)
{
    return (connection->door->transport == STREAM ? take_stream : take_answer)(connection, at, end);
}
