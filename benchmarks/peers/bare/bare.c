/* The least that a fan-out over WebSockets can cost: one epoll, no rooms, nothing parsed, kept or acknowledged.
 *
 *   bare PORT
 *
 * Whatever whole text frames one read brings are sent on to everybody, in one send() each. It is the unit by which
 * figures of different machines are compared, and the limit beside which ours stand. It knows one handshake, the
 * load client's; a reader that does not read stops it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 40000, BUFFER = 1 << 18 };

struct client {
    int fd, shaken;
    size_t kept;
    char *rest;
};

static struct client *clients[MOST];
static int count, epoll;
static char buffer[BUFFER], out[BUFFER];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return; /* it is gone; its own event says so */
        if (sent < 0) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            poll(&writable, 1, 1000);
            continue;
        }
        data += sent;
        size -= sent;
    }
}

static void leave(struct client *client)
{
    for (int i = 0; i < count; i++)
        if (clients[i] == client)
            clients[i] = clients[--count];
    close(client->fd);
    free(client->rest);
    free(client);
}

/* Copy one frame to `to` as a server sends it; returns the size of the client's, 0 where it is not complete. */
static size_t unmask(const unsigned char *at, size_t there, char *to, size_t *size)
{
    if (there < 6)
        return 0;
    size_t length = 2, payload = at[1] & 0x7f;
    if (payload == 126) {
        payload = at[2] << 8 | at[3];
        length = 4;
    }
    if (there < length + 4 + payload)
        return 0;
    *size = 0;
    if (at[0] == 0x81) {
        memcpy(to, at, length);
        to[1] &= 0x7f;
        const unsigned char *mask = at + length;
        for (size_t i = 0; i < payload; i++)
            to[length + i] = at[length + 4 + i] ^ mask[i % 4];
        *size = length + payload;
    }
    return length + 4 + payload;
}

static void take(struct client *client)
{
    memcpy(buffer, client->rest, client->kept);
    ssize_t got = recv(client->fd, buffer + client->kept, BUFFER - client->kept, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        leave(client);
        return;
    }
    char *at = buffer, *end = buffer + client->kept + got;
    if (!client->shaken) {
        static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        char *blank = memmem(at, end - at, "\r\n\r\n", 4);
        at = blank ? blank + 4 : at;
        if (blank) {
            client->shaken = 1;
            clients[count++] = client;
            send_all(client->fd, answer, sizeof answer - 1);
        }
    }
    size_t all = 0, size, taken;
    while (client->shaken && (taken = unmask((unsigned char *)at, end - at, out + all, &size))) {
        at += taken;
        all += size;
    }
    client->kept = end - at;
    client->rest = realloc(client->rest, client->kept + 1);
    memcpy(client->rest, at, client->kept);
    for (int i = 0; all && i < count; i++)
        send_all(clients[i]->fd, out, all);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        die("bare: cannot listen");
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[256];
        int happened = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < happened; i++) {
            if (events[i].data.ptr) {
                take(events[i].data.ptr);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (fd < 0 || count == MOST)
                continue;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            struct client *client = calloc(1, sizeof *client);
            *client = (struct client){.fd = fd};
            event = (struct epoll_event){.events = EPOLLIN, .data.ptr = client};
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
    }
}
