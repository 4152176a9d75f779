// The table of pages, and who may see which.
#include "base/metrics.h"
#include "base/settings.h"
#include "control/http_connection.h"
#include "control/settings_page.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

void http_text_page(struct http_answer *answer, int status, const char *text)
{
    answer->status = status;
    answer->type = "text/plain; charset=utf-8";
    answer->body = strdup(text);
    answer->size = answer->body ? strlen(text) : 0;
}

// --- who asks ---

static bool is_loopback(int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
        return false;
    if (peer.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return peer.ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
            (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET));
}

// A page in a browser may reach loopback by a name that resolves to it, and read the answer as its
// own. So a Host must be an address, or localhost.
static bool host_is_own(const char *fields)
{
    char host[80];
    struct in_addr v4;
    while (*fields && strncasecmp(fields, "host:", 5) != 0) {
        fields = strstr(fields, "\r\n");
        if (!fields)
            return true;
        fields += 2;
    }
    if (!*fields)
        return true; // HTTP/1.0: no browser
    fields += 5;
    fields += strspn(fields, " \t");
    if (*fields == '[') { // an IPv6 address: no name begins so
        fields += strcspn(fields, "]\r");
        return *fields == ']' && strchr(": \t\r", fields[1]);
    }
    size_t size = strcspn(fields, ": \t\r");
    if (size >= sizeof host)
        return false;
    memcpy(host, fields, size);
    host[size] = '\0';
    return strcasecmp(host, "localhost") == 0 || inet_pton(AF_INET, host, &v4) == 1;
}

bool http_is_local(const struct http_connection *connection, const struct http_request *request,
                   struct http_answer *answer)
{
    if (!is_loopback(connection->fd))
        http_text_page(answer, 403,
                       "shown on loopback only: ask from inside the pod or the host (kubectl exec, "
                       "kubectl port-forward)\n");
    else if (!host_is_own(request->fields))
        http_text_page(answer, 403, "shown to localhost or an address only, not to a name\n");
    else
        return true;
    return false;
}

// --- the pages ---

typedef void page_fn(const struct http_endpoint *endpoint, struct http_answer *answer);

static void healthz(const struct http_endpoint *endpoint, struct http_answer *answer)
{
    (void)endpoint; // that the loop got here is the answer
    http_text_page(answer, 200, "ok\n");
}

static void readyz(const struct http_endpoint *endpoint, struct http_answer *answer)
{
    if (endpoint->config.ready(endpoint->config.ctx))
        http_text_page(answer, 200, "ready\n");
    else
        http_text_page(answer, 503, "not ready: the doors are not open\n");
}

static void metrics_page(const struct http_endpoint *endpoint, struct http_answer *answer)
{
    struct metrics_source source = {endpoint->config.books, endpoint->started_ns};
    FILE *out = open_memstream(&answer->body, &answer->size);
    if (!out)
        return;
    metrics_write(out, &source);
    if (fclose(out) == 0)
        answer->status = 200;
    answer->type = METRICS_CONTENT_TYPE;
}

static void books_page(const struct http_endpoint *endpoint, struct http_answer *answer)
{
    FILE *out = open_memstream(&answer->body, &answer->size);
    if (!out)
        return;
    metrics_write_books(out, endpoint->config.books);
    if (fclose(out) == 0)
        answer->status = 200;
    answer->type = "application/json";
}

static void config_page(const struct http_endpoint *endpoint, struct http_answer *answer)
{
    FILE *out = open_memstream(&answer->body, &answer->size);
    if (!out)
        return;
    settings_page_write(out, endpoint->config.settings(endpoint->config.ctx));
    if (fclose(out) == 0)
        answer->status = 200;
    answer->type = "application/json";
}

static const struct {
    const char *path;
    page_fn *page;
    bool local; // on loopback only
} pages[] = {
    {"/metrics", metrics_page, false}, {"/healthz", healthz, false},   {"/readyz", readyz, false},
    {"/books", books_page, false},     {"/config", config_page, true},
};

void http_page(struct http_connection *connection, const struct http_request *request,
               struct http_answer *answer)
{
    const struct http_endpoint *endpoint = connection->endpoint;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        bool there = pages[i].page != config_page || endpoint->config.settings;
        if (!there || strcmp(pages[i].path, request->path) != 0)
            continue;
        if (!pages[i].local || http_is_local(connection, request, answer))
            pages[i].page(endpoint, answer);
        return;
    }
    http_text_page(
        answer, 404,
        "no such page; there are /metrics, /healthz, /readyz, /books, /config and /tail\n");
}
