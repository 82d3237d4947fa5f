/* What is sent, from the words that the conductor gave; and the mark by which a message is known again.
 *
 * In a template stands %m for the message, %l and %n for its log and number, %r for the room, %c for the cursor
 * of a reader, %p for the port. A message is "~LLLLL.NNNNNNNNNN~ " and the text: log and number in five and ten
 * digits.
 */
#include "load.h"
#include <stdio.h>
#include <string.h>

static size_t put(char *at, size_t room, const char *word, const struct log *log, uint32_t number,
                  const struct connection *connection)
{
    int log_number = log ? (int)(log - logs) : 0;
    int size = 0;
    switch (*word) {
    case 'm': size = snprintf(at, room, "~%05d.%010u~ %s", log_number, number, options.text); break;
    case 'l': size = snprintf(at, room, "%05d", log_number); break;
    case 'n': size = snprintf(at, room, "%010u", number); break;
    case 'r': size = snprintf(at, room, "%d", log ? log->room : options.first_room); break;
    case 'p': size = snprintf(at, room, "%d", options.port); break;
    case 'c':
        if (connection && connection->cursor)
            size = snprintf(at, room, "%s", connection->cursor);
        else
            size = snprintf(at, room, "%lld", connection ? connection->seq : -1);
        break;
    default: die("in a template %%%c says nothing", *word);
    }
    if (size < 0 || (size_t)size >= room)
        die("what is to be sent is too long");
    return size;
}

size_t template_fill(char *at, size_t room, const char *template, const struct log *log, uint32_t number,
                     const struct connection *connection)
{
    char *start = at, *end = at + room;
    for (const char *word = template; *word; word++) {
        if (end - at < 2)
            die("what is to be sent is too long");
        if (*word == '%' && word[1])
            at += put(at, end - at, ++word, log, number, connection);
        else
            *at++ = *word;
    }
    *at = 0;
    return at - start;
}

static int digits(const char *at, int count, uint32_t *value)
{
    uint32_t sum = 0;
    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned char)at[i] - '0';
        if (digit > 9)
            return 0;
        sum = 10 * sum + digit;
    }
    *value = sum;
    return 1;
}

/* The first LLLLL.NNNNNNNNNN after `key` in `text`; returns where it ends, NULL where there is none. */
const char *find_number(const char *text, size_t size, const char *key, uint32_t *log, uint32_t *number)
{
    const char *end = text + size;
    size_t length = strlen(key);
    while (text < end) {
        const char *found = length == 1 ? memchr(text, *key, end - text) : memmem(text, end - text, key, length);
        if (!found || end - found < (long)length + LOG_DIGITS + 1 + NUMBER_DIGITS)
            return NULL;
        const char *at = found + length;
        if (digits(at, LOG_DIGITS, log) && at[LOG_DIGITS] == '.'
            && digits(at + LOG_DIGITS + 1, NUMBER_DIGITS, number))
            return at + LOG_DIGITS + 1 + NUMBER_DIGITS;
        text = found + length;
    }
    return NULL;
}
