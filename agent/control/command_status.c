// Prints the books of a running agent as tables: one column a signal, one column an exporter.
// Rows that count nothing are left out, but for those of the balance.
#include "base/error.h"
#include "base/settings_value.h"
#include "control/command_settings.h"

#include <stdbool.h>
#include <string.h>
#include <yajl/yajl_tree.h>

static yajl_val member(yajl_val object, const char *name, yajl_type type)
{
    const char *path[] = {name, NULL};
    return object ? yajl_tree_get(object, path, type) : NULL;
}

static bool is_object(yajl_val value)
{
    return value && YAJL_IS_OBJECT(value);
}

static long long sum_of(yajl_val value)
{
    if (!is_object(value))
        return value && YAJL_IS_INTEGER(value) ? YAJL_GET_INTEGER(value) : 0;
    long long sum = 0;
    for (size_t i = 0; i < value->u.object.len; i++)
        sum += sum_of(value->u.object.values[i]);
    return sum;
}

// One line for each reason that counted anything, in any column.
static void print_reasons(FILE *out, yajl_val columns, const char *name, yajl_val first)
{
    for (size_t i = 0; i < first->u.object.len; i++) {
        const char *reason = first->u.object.keys[i];
        long long all = 0;
        for (size_t c = 0; c < columns->u.object.len; c++)
            all += sum_of(member(member(columns->u.object.values[c], name, yajl_t_object), reason,
                                 yajl_t_any));
        if (all == 0)
            continue;
        fprintf(out, "    %-18s", reason);
        for (size_t c = 0; c < columns->u.object.len; c++) {
            yajl_val page = columns->u.object.values[c];
            fprintf(out, " %14lld",
                    sum_of(member(member(page, name, yajl_t_object), reason, yajl_t_any)));
        }
        fputc('\n', out);
    }
}

// What the balance is read from is there even where it is 0.
static bool is_needed(const char *name)
{
    static const char *const names[] = {"received",  "routed",  "rejected", "pending",
                                        "delivered", "dropped", "dead",     "held"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void print_row(FILE *out, yajl_val columns, const char *name)
{
    bool counts = is_needed(name);
    for (size_t c = 0; c < columns->u.object.len; c++)
        counts |= sum_of(member(columns->u.object.values[c], name, yajl_t_any)) != 0;
    if (!counts)
        return;
    fprintf(out, "  %-20s", name);
    for (size_t c = 0; c < columns->u.object.len; c++)
        fprintf(out, " %14lld", sum_of(member(columns->u.object.values[c], name, yajl_t_any)));
    fputc('\n', out);
}

// columns: {"logs": {"received": 1, "rejected": {"malformed": 0}}, …}
static int print_table(FILE *out, const char *title, yajl_val columns)
{
    if (!is_object(columns))
        return -EINVAL;
    size_t count = columns->u.object.len;
    fprintf(out, "%-22s", title);
    for (size_t c = 0; c < count; c++) {
        fprintf(out, " %14s", columns->u.object.keys[c]);
        if (!is_object(columns->u.object.values[c]))
            return -EINVAL;
    }
    fputc('\n', out);
    yajl_val first = count ? columns->u.object.values[0] : NULL;
    for (size_t i = 0; first && i < first->u.object.len; i++) {
        const char *name = first->u.object.keys[i];
        print_row(out, columns, name);
        if (is_object(first->u.object.values[i]))
            print_reasons(out, columns, name, first->u.object.values[i]);
    }
    return 0;
}

// One line of what counted anything: "  title: lines 12, tls 3".
static void print_counts(FILE *out, const char *title, yajl_val counts)
{
    bool first = true;
    for (size_t i = 0; counts && i < counts->u.object.len; i++) {
        long long count = sum_of(counts->u.object.values[i]);
        if (count == 0)
            continue;
        if (first)
            fprintf(out, "  %s: ", title);
        fprintf(out, "%s%s %lld", first ? "" : ", ", counts->u.object.keys[i], count);
        first = false;
    }
    if (!first)
        fputc('\n', out);
}

static void print_count(FILE *out, yajl_val receive, const char *name, const char *title)
{
    long long count = sum_of(member(receive, name, yajl_t_any));
    if (count)
        fprintf(out, "  %s: %lld\n", title, count);
}

static long long budget_of(yajl_val receive, const char *name, const char *what)
{
    char column[64];
    snprintf(column, sizeof column, "%s_%s", name, what);
    return sum_of(member(receive, column, yajl_t_any));
}

static void print_budget(FILE *out, yajl_val receive, const char *name, const char *title)
{
    static const char *const parts[] = {"used", "limit", "peak"};
    char texts[3][32];
    for (size_t i = 0; i < 3; i++) {
        long long bytes = budget_of(receive, name, parts[i]);
        if (bytes >= 10240)
            bytes = bytes >> 10 << 10; // KiB are exact enough
        value_format_bytes(bytes > 0 ? (uint64_t)bytes : 0, texts[i], sizeof texts[i]);
    }
    if (budget_of(receive, name, "peak") == 0)
        return; // never used
    fprintf(out, "  %s: %s of %s, at most %s", title, texts[0], texts[1], texts[2]);
    long long refused = budget_of(receive, name, "refused");
    if (refused)
        fprintf(out, ", refused %lld times", refused);
    fputc('\n', out);
}

static void print_connections(FILE *out, yajl_val receive)
{
    fprintf(out, "\nconnections: %lld open\n", sum_of(member(receive, "open", yajl_t_any)));
    print_counts(out, "by dialect", member(receive, "connections", yajl_t_object));
    print_counts(out, "closed by the agent", member(receive, "closed", yajl_t_object));
    print_count(out, receive, "truncated", "lines cut at max_line");
    print_count(out, receive, "surplus_fds", "descriptors sent unasked");
    print_count(out, receive, "credit_waits", "writers held back");
    print_count(out, receive, "paused", "reads paused for memory");
    print_budget(out, receive, "read_bytes", "memory for unfinished lines and frames");
    print_budget(out, receive, "message_bytes", "memory for unfinished OTLP messages");
}

static int print_books(FILE *out, yajl_val books)
{
    yajl_val receive = member(books, "receive", yajl_t_object);
    yajl_val balanced = member(books, "balanced", yajl_t_any);
    if (!balanced || !(YAJL_IS_TRUE(balanced) || YAJL_IS_FALSE(balanced)))
        return -EINVAL;
    int r = print_table(out, "at the door", member(books, "door", yajl_t_object));
    fputc('\n', out);
    if (r == 0)
        r = print_table(out, "exporters", member(books, "exporters", yajl_t_object));
    if (r < 0)
        return r;
    print_connections(out, receive);
    fprintf(out, "balanced: %s\n", YAJL_IS_TRUE(balanced) ? "yes" : "no");
    return 0;
}

int command_write_status(FILE *out, const char *text)
{
    char why[128];
    yajl_val books = yajl_tree_parse(text, why, sizeof why);
    if (!books)
        return -EINVAL;
    int r = print_books(out, books);
    yajl_tree_free(books);
    return r;
}
