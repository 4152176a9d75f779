// Reads one request's head and says which page or stream it asks for.
#include "control/http_connection.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

// Whether the fields announce a body: none of the pages takes one.
static bool has_body(const char *fields)
{
    while (*fields) {
        if (strncasecmp(fields, "transfer-encoding:", 18) == 0)
            return true;
        if (strncasecmp(fields, "content-length:", 15) == 0) {
            const char *value = fields + 15;
            value += strspn(value, " \t");
            if (value[strspn(value, "0")] != '\r')
                return true;
        }
        fields = strstr(fields, "\r\n");
        if (!fields)
            return false;
        fields += 2;
    }
    return false;
}

static void route(struct http_connection *connection, struct http_request *request)
{
    struct http_answer answer = {0};
    bool head_only = strcmp(request->method, "HEAD") == 0;
    char *query = strchr(request->path, '?');
    request->query = query ? query + 1 : request->path + strlen(request->path);
    if (query)
        *query = '\0';
    if (!head_only && strcmp(request->method, "GET") != 0) {
        http_refuse(connection, 405, "only GET and HEAD are answered here\n");
        return;
    }
    bool tail = strcmp(request->path, "/tail") == 0 && connection->endpoint->config.watch;
    if (!tail)
        http_page(connection, request, &answer);
    else if (head_only)
        http_text_page(&answer, 200, "");
    else if (http_tail_start(connection, request, &answer))
        return;
    http_connection_answer(connection, &answer, head_only);
}

// METHOD SP TARGET SP HTTP/1.x CRLF fields CRLF.
void http_request_read(struct http_connection *connection)
{
    char *line = connection->head;
    char *fields = strstr(line, "\r\n");
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!fields || !version || version > fields || target == line || target[1] != '/') {
        http_refuse(connection, 400, "not an HTTP request\n");
        return;
    }
    *target++ = '\0';
    *version++ = '\0';
    struct http_request request = {.method = line, .path = target, .fields = fields + 2};
    if (strncmp(version, "HTTP/1.", 7) != 0)
        http_refuse(connection, 505, "only HTTP/1.x is spoken here\n");
    else if (has_body(request.fields))
        http_refuse(connection, 413, "no body is taken here\n");
    else
        route(connection, &request);
}
