// The HTTP/2 session's common ground: settings, output, fields.
#include "grpc/h2.h"

#include "base/error.h"

#include <string.h>
#include <sys/types.h>

int h2_announce(nghttp2_session *session, const nghttp2_settings_entry *settings, size_t count,
                uint32_t window)
{
    if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, count) != 0)
        return -ENOMEM;
    if (nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, (int32_t)window) != 0)
        return -ENOMEM;
    return 0;
}

static size_t frame_next(nghttp2_session *session, const uint8_t **data, bool *broken)
{
    ssize_t n = nghttp2_session_mem_send(session, data);
    if (n < 0)
        *broken = true;
    return n > 0 ? (size_t)n : 0;
}

size_t h2_output_next(struct h2_output *output, nghttp2_session *session, const uint8_t **data,
                      bool *broken)
{
    if (output->carried_size > 0) {
        size_t size = output->carried_size;
        *data = output->carried;
        output->carried = NULL;
        output->carried_size = 0;
        return size;
    }
    size_t used = 0;
    for (;;) {
        const uint8_t *frame = NULL;
        size_t size = *broken ? 0 : frame_next(session, &frame, broken);
        if (size == 0)
            break;
        if (size > sizeof output->buffer - used) {
            if (used == 0) {
                *data = frame;
                return size;
            }
            output->carried = frame;
            output->carried_size = size;
            break;
        }
        memcpy(output->buffer + used, frame, size);
        used += size;
    }
    *data = output->buffer;
    return used;
}

bool h2_output_pending(const struct h2_output *output, nghttp2_session *session)
{
    return output->carried_size > 0 || nghttp2_session_want_write(session);
}

nghttp2_nv h2_field(const char *name, struct slice value)
{
    static char empty[1];
    return (nghttp2_nv){
        .name = (uint8_t *)name,
        .namelen = strlen(name),
        .value = (uint8_t *)(value.size > 0 ? value.data : empty),
        .valuelen = value.size,
        .flags = NGHTTP2_NV_FLAG_NONE,
    };
}

int h2_feed(nghttp2_session *session, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = nghttp2_session_mem_recv(session, data, size);
        if (n == NGHTTP2_ERR_NOMEM)
            return -ENOMEM;
        if (n < 0)
            return -EPROTO;
        // Without pausing callbacks nghttp2 takes everything; a zero would loop for ever.
        if (n == 0)
            return -EPROTO;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}
