/* The sockets, on one epoll in one thread. What a socket does not take is kept until it does.
 *
 * Edge-triggered: else epoll looks once more, in the next turn, at each socket that it has told of. So a socket is
 * read until it gave less than there was room for, or its end is seen.
 *
 * A server that sends to one socket after another would wake us for each, and pay for waking us. Where little has
 * come we are away for a moment, as network cards are that gather what comes (interrupt coalescing): so that both
 * spend their time on messages. It is the same for all servers, and only where many are read from and nothing is
 * timed singly.
 */
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int epoll;
static char buffer[BUFFER];

void wire_start(void)
{
    epoll = epoll_create1(0);
    prctl(PR_SET_TIMERSLACK, 1000); /* ns: a pace of thousands a second wants its time exactly */
}

static int uses_websocket(const struct connection *connection)
{
    return connection->door->transport == WEBSOCKET;
}

static const char *who(const struct connection *connection)
{
    return connection->role == READER ? "reader" : "speaker";
}

/* Readers of every room are on every server: the first ones of all rooms on the first, and so on in turn. */
static int port_of(const struct connection *connection)
{
    if (connection->role == SPEAKER)
        return options.port;
    return options.servers[connection->number / options.rooms % options.server_count];
}

void wire_open(struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port_of(connection))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        die("no socket for %s %d: %s", who(connection), connection->number, strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        if (!options.come_back || errno != ECONNREFUSED)
            die("%s %d cannot connect: %s", who(connection), connection->number, strerror(errno));
        close(fd); /* the server is not back yet: main.c tries again */
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    connection->fd = fd;
    connection->state = SHAKING;
    connection->in_size = connection->out_size = connection->text_size = 0;
    pending++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    (uses_websocket(connection) ? websocket_open : http_open)(connection);
}

void wire_ready(struct connection *connection)
{
    connection->state = READY;
    pending--;
    live++;
}

/* The server hung up, or was killed: an error, but where readers are to come back. */
void wire_ended(struct connection *connection, const char *why)
{
    if (!options.come_back || connection->role != READER)
        die("the server hung up on %s %d: %s; last heard: %s", who(connection), connection->number, why, odd);
    *(connection->state == READY ? &live : &pending) -= 1;
    close(connection->fd);
    connection->state = CLOSED;
}

/* -- out ---------------------------------------------------------------------------------------------- */

static void want(struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static size_t give(struct connection *connection, const char *data, size_t size)
{
    ssize_t given = send(connection->fd, data, size, MSG_NOSIGNAL);
    if (given >= 0)
        return given;
    if (errno != EAGAIN && errno != EPIPE && errno != ECONNRESET)
        die("cannot send: %s", strerror(errno));
    return 0; /* that it hung up is seen when we read */
}

void wire_send(struct connection *connection, const char *data, size_t size)
{
    size_t given = connection->out_size ? 0 : give(connection, data, size), rest = size - given;
    if (!rest)
        return;
    if (connection->out_size + rest > connection->out_room) {
        connection->out_room = 2 * (connection->out_size + rest);
        connection->out = realloc(connection->out, connection->out_room);
        if (!connection->out)
            die("no memory");
    }
    if (!connection->out_size)
        want(connection, EPOLLIN | EPOLLOUT);
    memcpy(connection->out + connection->out_size, data + given, rest);
    connection->out_size += rest;
}

static void flush(struct connection *connection)
{
    size_t given = give(connection, connection->out, connection->out_size);
    connection->out_size -= given;
    memmove(connection->out, connection->out + given, connection->out_size);
    if (!connection->out_size)
        want(connection, EPOLLIN);
}

/* -- in ----------------------------------------------------------------------------------------------- */

/* Whether there may be more. */
static int receive(struct connection *connection)
{
    memcpy(buffer, connection->in, connection->in_size);
    size_t room = BUFFER - connection->in_size;
    ssize_t got = recv(connection->fd, buffer + connection->in_size, room, 0);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0) {
        wire_ended(connection, got ? strerror(errno) : "end of file");
        return 0;
    }
    char *at = buffer, *end = buffer + connection->in_size + got;
    size_t size;
    do {
        size = (uses_websocket(connection) ? websocket_take : http_take)(connection, at, end);
        at += size;
    } while (size && at < end);
    if (end - at >= BUFFER)
        die("a frame or an answer is longer than %d bytes", BUFFER);
    connection->in_size = end - at;
    if (connection->in_size) {
        connection->in = realloc(connection->in, connection->in_size);
        if (!connection->in)
            die("no memory");
        memcpy(connection->in, at, connection->in_size);
    }
    return (size_t)got == room && connection->state != CLOSED;
}

/* Less than this is little. A nap is short beside the milliseconds in which a message comes to a thousand. */
enum { LITTLE = 512, NAP = 100 * 1000 /* ns */ };

static void gather(int count)
{
    static const struct timespec nap = {.tv_nsec = NAP};
    if (count && count < LITTLE && options.readers > LITTLE && !options.rate)
        nanosleep(&nap, NULL);
}

/* One turn of the loop: whatever has come, or nothing after `seconds`. */
void wire_turn(double seconds)
{
    struct epoll_event events[1024];
    struct timespec most = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (time_t)seconds) * 1e9)};
    int count = epoll_pwait2(epoll, events, 1024, &most, NULL);
    now = seconds_now();
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (events[i].events & EPOLLOUT && connection->out_size)
            flush(connection);
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            while (receive(connection) || (events[i].events & EPOLLRDHUP && connection->state != CLOSED))
                ;
    }
    gather(count);
}
