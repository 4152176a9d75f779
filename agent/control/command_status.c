// Prints the books of a running agent as tables: one column a signal, one column an exporter.
#include "base/error.h"
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
        fprintf(out, "  %-20s", name);
        for (size_t c = 0; c < count; c++)
            fprintf(out, " %14lld", sum_of(member(columns->u.object.values[c], name, yajl_t_any)));
        fputc('\n', out);
        if (is_object(first->u.object.values[i]))
            print_reasons(out, columns, name, first->u.object.values[i]);
    }
    return 0;
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
    fprintf(out, "\nconnections: %lld open\nbalanced: %s\n",
            sum_of(member(receive, "open", yajl_t_any)), YAJL_IS_TRUE(balanced) ? "yes" : "no");
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
