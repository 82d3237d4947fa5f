/* RFC 6455 from the client's side. No extension is offered. */
#include "load.h"
#include <stdio.h>
#include <string.h>

enum opcode { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };
enum { HEAD = 14, MOST_TEXT = 1 << 16 };

/* The key of RFC 6455, section 1.3, and its answer. */
static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==", answer[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static void send_frame(struct connection *connection, enum opcode opcode, const char *payload, size_t size)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    static char frame[HEAD + MOST_TEXT];
    if (size > MOST_TEXT)
        die("a frame to be sent is longer than %d bytes", MOST_TEXT);
    char *at = frame;
    *at++ = (char)(0x80 | opcode);
    if (size < 126) {
        *at++ = (char)(0x80 | size);
    } else if (size < 65536) {
        *at++ = (char)(0x80 | 126);
        *at++ = (char)(size >> 8);
        *at++ = (char)size;
    } else {
        *at++ = (char)(0x80 | 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            *at++ = (char)((uint64_t)size >> shift);
    }
    memcpy(at, mask, 4);
    at += 4;
    for (size_t i = 0; i < size; i++)
        *at++ = payload[i] ^ mask[i % 4];
    wire_send(connection, frame, at - frame);
}

void websocket_text(struct connection *connection, const char *text, size_t size)
{
    send_frame(connection, TEXT, text, size);
}

void websocket_open(struct connection *connection)
{
    char request[16384], path[2048];
    const struct door *door = connection->door;
    template_fill(path, sizeof path, door->path, connection->log, 0, connection);
    int size = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s%.200s%s%.8000s%s\r\n",
        path, options.port, key, door->subprotocol ? "Sec-WebSocket-Protocol: " : "",
        door->subprotocol ? door->subprotocol : "", door->subprotocol ? "\r\n" : "",
        door->header ? door->header : "", door->header ? "\r\n" : "");
    wire_send(connection, request, size);
}

/* Take the answer to the handshake; returns its size, 0 where it is not complete yet. */
static size_t take_handshake(struct connection *connection, char *at, char *end)
{
    char *blank = memmem(at, end - at, "\r\n\r\n", 4);
    if (!blank)
        return 0;
    *blank = 0;
    if (strncmp(at, "HTTP/1.1 101", 12) && options.come_back) {
        snprintf(odd, sizeof odd, "%.250s", at);
        wire_ended(connection, "it is about to go"); /* main.c tries again */
        return 0;
    }
    if (strncmp(at, "HTTP/1.1 101", 12))
        die("the handshake was refused: %.300s", at);
    if (!strstr(at, answer))
        die("the handshake was answered with another key: %.300s", at);
    connection->state = GREETED;
    if (connection->door->hello) {
        char hello[4096];
        size_t size = template_fill(hello, sizeof hello, connection->door->hello, connection->log, 0, connection);
        send_frame(connection, TEXT, hello, size);
    }
    if (!connection->door->ready)
        wire_ready(connection);
    return blank + 4 - at;
}

static void take_text(struct connection *connection, const char *text, size_t size)
{
    /* Engine.IO pings by texts. */
    if (options.beat && size == strlen(options.beat) && !memcmp(text, options.beat, size))
        websocket_text(connection, options.beat_answer, strlen(options.beat_answer));
    else
        (connection->role == READER ? talk_message : talk_ack)(connection, text, size);
}

static size_t take_frame(struct connection *connection, char *at, char *end)
{
    const unsigned char *head = (unsigned char *)at;
    size_t length = 2, there = end - at;
    if (there < 2)
        return 0;
    if (head[1] & 0x80)
        die("the server masked a frame");
    uint64_t size = head[1];
    if (size >= 126) {
        int bytes = size == 126 ? 2 : 8;
        length = 2 + bytes;
        if (there < length)
            return 0;
        size = 0;
        for (int i = 0; i < bytes; i++)
            size = size << 8 | head[2 + i];
    }
    if (size > BUFFER / 2)
        die("a frame of %llu bytes (or one that was cut)", (unsigned long long)size);
    if (there < length + size)
        return 0;
    char *payload = at + length;
    switch (head[0]) {
    case 0x80 | TEXT:
        take_text(connection, payload, size);
        break;
    case 0x80 | PING:
        send_frame(connection, PONG, payload, size);
        break;
    case 0x80 | PONG:
        break;
    case 0x80 | CLOSE:
        if (!options.come_back)
            die("the server closed with %d %.*s", size < 2 ? 0 : (unsigned char)payload[0] << 8 | (unsigned char)payload[1],
                size > 2 ? (int)size - 2 : 0, payload + 2);
        break; /* it hangs up next */
    default:
        die("unexpected first byte of a frame: %#x (a cut frame?)", head[0]);
    }
    return length + size;
}

/* Take one frame; returns its size, 0 where it is not complete yet. */
size_t websocket_take(struct connection *connection, char *at, char *end)
{
    return (connection->state == SHAKING ? take_handshake : take_frame)(connection, at, end);
}
