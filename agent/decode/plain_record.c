// Plain text as a record: nothing is taken apart but an error.
#include "decode/plain_record.h"

#include "decode/error_heading.h"
#include "decode/frame_locals.h"
#include "decode/record_start.h"
#include "decode/utf8.h"

static struct value as_text(struct slice text)
{
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

static struct slice without_end(struct slice text)
{
    while (text.size && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
        text.size--;
    return text;
}

static struct slice first_line(struct slice text)
{
    const char *feed = text.size ? memchr(text.data, '\n', text.size) : NULL;
    return without_end(slice_of(text.data, feed ? (size_t)(feed - text.data) : text.size));
}

// error.* and log.level; the message is the head, or of a trace alone the line that says what
// happened. Both texts are valid UTF-8.
static void set_error(struct mapper *mapper, struct slice head, struct slice trace)
{
    struct fields *own = mapper->fields;
    struct error_heading heading;
    bool found = error_heading_find(trace, &heading);
    struct slice message = head.size ? head : found ? heading.line : trace;
    if (!found)
        found = error_heading_within(head, &heading);
    fields_set(own, ECS_MESSAGE, as_text(head.size ? head : first_line(message)));
    fields_set(own, ECS_ERROR_STACK_TRACE, as_text(trace));
    if (found)
        fields_set(own, ECS_ERROR_TYPE, as_text(heading.type));
    if (found && without_end(heading.message).size)
        fields_set(own, ECS_ERROR_MESSAGE, as_text(without_end(heading.message)));
    struct slice level = record_level(head.size ? head : first_line(trace));
    map_value(mapper, SLICE("level"), as_text(level.size ? level : SLICE("error")));
}

bool plain_record(struct decoder *decoder, struct slice text, const struct stack_trace *trace)
{
    struct record *record = &decoder->record;
    struct slice head, rest;
    bool object = text.size && text.data[0] == '{'; // cut, or broken
    if (object && frame_locals_present(text) && !frame_locals_drop(&decoder->arena, text, &text))
        return false;
    if (!trace->seen) {
        if (!utf8_repair(&decoder->arena, text, &head))
            return false;
        fields_set(&record->own, ECS_MESSAGE, as_text(head));
        return true;
    }
    size_t start = trace->start < text.size ? trace->start : 0;
    if (!utf8_repair(&decoder->arena, without_end(slice_of(text.data, start)), &head) ||
        !utf8_repair(&decoder->arena, slice_of(text.data + start, text.size - start), &rest))
        return false;
    map_begin(&decoder->mapper, record, &decoder->arena);
    set_error(&decoder->mapper, head, rest);
    return map_end(&decoder->mapper);
}
