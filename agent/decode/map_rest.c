// What no rule took: labels, numeric_labels, app, and ECS fields that have no slot.
#include "decode/map_members.h"

#include <stdio.h>
#include <string.h>

static const struct slice slot_paths[] = {
#define PATH(name, path, type) {path, sizeof(path) - 1},
    ECS_FIELDS(PATH)
#undef PATH
};

// Whether `outer` is an object that holds `inner`.
static bool holds(struct slice outer, struct slice inner)
{
    return inner.size > outer.size && inner.data[outer.size] == '.' &&
           memcmp(inner.data, outer.data, outer.size) == 0;
}

// Whether path is a slot's, or would have to be scalar and object at once beside one.
static bool clashes_with_slots(struct slice path)
{
    for (size_t i = 0; i < ECS_FIELD_COUNT; i++) {
        if (i == ECS_KUBERNETES_LABELS)
            continue; // an object of any names, the agent's as a whole
        if (slice_equal(slot_paths[i], path) || holds(slot_paths[i], path) ||
            holds(path, slot_paths[i]))
            return true;
    }
    return false;
}

static int compare(struct slice a, struct slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

// A member on its way into a list of named values.
struct candidate {
    struct named_values *list;
    struct slice name;
    struct value value;
    struct slice path; // what it was called; breaks ties, so that the line's order does not matter
    uint8_t rank;      // 0 already has its place, 1 is called so, 2 was renamed
};

static int order(const struct candidate *a, const struct candidate *b)
{
    if (a->list != b->list)
        return a->list < b->list ? -1 : 1;
    int names = compare(a->name, b->name);
    if (names)
        return names;
    return a->rank != b->rank ? a->rank - b->rank : compare(a->path, b->path);
}

static void sift(struct candidate *heap, size_t root, size_t size)
{
    while (2 * root + 1 < size) {
        size_t child = 2 * root + 1;
        if (child + 1 < size && order(&heap[child + 1], &heap[child]) > 0)
            child++;
        if (order(&heap[root], &heap[child]) >= 0)
            return;
        struct candidate swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
        root = child;
    }
}

static void sort(struct candidate *candidates, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(candidates, i, count);
    for (size_t size = count; size-- > 1;) {
        struct candidate swap = candidates[0];
        candidates[0] = candidates[size];
        candidates[size] = swap;
        sift(candidates, 0, size);
    }
}

// Bytes that a label's name may not hold: a dot would open an object, the others are refused or
// ambiguous in Elasticsearch's queries.
static const bool odd[256] = {
    ['.'] = true,  ['*'] = true,  ['"'] = true,  ['\\'] = true, [' '] = true,
    ['\t'] = true, ['\n'] = true, ['\v'] = true, ['\f'] = true, ['\r'] = true,
};

static bool has_odd(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (odd[(unsigned char)name.data[i]])
            return true;
    return name.size == 0;
}

static struct slice plain_name(struct mapper *mapper, struct slice name)
{
    if (name.size == 0)
        return SLICE("_");
    if (!has_odd(name))
        return name;
    char *plain = arena_alloc(mapper->arena, name.size);
    if (!plain) {
        mapper->failed = true;
        return SLICE("_");
    }
    for (size_t i = 0; i < name.size; i++)
        plain[i] = odd[(unsigned char)name.data[i]] ? '_' : name.data[i];
    return slice_of(plain, name.size);
}

static void add(struct mapper *mapper, const struct candidate *candidate)
{
    if (!named_values_add(candidate->list, mapper->arena, candidate->name, candidate->value))
        mapper->failed = true;
}

// Whether one of the sorted candidates is called `name`.
static bool is_taken(const struct candidate *candidates, size_t count, const void *list,
                     struct slice name)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct candidate *at = &candidates[middle];
        int side =
            at->list != list ? ((const void *)at->list < list ? -1 : 1) : compare(at->name, name);
        if (side == 0)
            return true;
        if (side < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

// Adds the candidates in order; those that are called alike get numbers from 2 on.
static void add_sorted(struct mapper *mapper, struct candidate *candidates, size_t count)
{
    unsigned number = 1;
    sort(candidates, count);
    for (size_t i = 0; i < count; i++) {
        struct candidate candidate = candidates[i];
        bool again = i > 0 && candidates[i - 1].list == candidate.list &&
                     slice_equal(candidates[i - 1].name, candidate.name);
        number = again ? number : 1;
        while (again) {
            size_t room = candidate.name.size + 12;
            char *text = arena_alloc(mapper->arena, room);
            if (!text) {
                mapper->failed = true;
                return;
            }
            memcpy(text, candidate.name.data, candidate.name.size);
            int digits = snprintf(text + candidate.name.size, 12, "_%u", ++number);
            struct slice name = slice_of(text, candidate.name.size + (size_t)digits);
            again = is_taken(candidates, count, candidate.list, name);
            if (!again)
                candidate.name = name;
        }
        add(mapper, &candidate);
    }
}

static bool strip(struct slice *name, struct slice prefix)
{
    if (name->size <= prefix.size || memcmp(name->data, prefix.data, prefix.size) != 0)
        return false;
    *name = slice_of(name->data + prefix.size, name->size - prefix.size);
    return true;
}

// Which list a member goes to, and under what name.
static struct candidate classify(struct mapper *mapper, const struct map_member *member)
{
    struct fields *fields = mapper->fields;
    struct candidate out = {
        .name = member->path, .path = member->path, .value = member->value, .rank = 1};
    bool text = true;
    if (map_member_is_container(member)) {
        out.list = &fields->app;
        text = false;
    } else if (strip(&out.name, SLICE("labels."))) {
        out.list = &fields->labels;
        out.rank = 0;
    } else if (map_member_is_number(member) || member->flags & MAP_MEMBER_NAN) {
        out.rank = strip(&out.name, SLICE("numeric_labels.")) ? 0 : 1;
        out.list = &fields->numeric_labels;
        text = false;
    } else {
        out.list = &fields->labels;
    }
    if (text)
        map_member_as_text(mapper, member, &out.value);
    if (has_odd(out.name)) {
        out.name = plain_name(mapper, out.name);
        out.rank = 2;
    }
    return out;
}

// Whether a member of an ECS line is a field of ECS that may stay where it is.
static bool may_stay(struct slice path, const struct map_member *member)
{
    bool dotted = path.size && memchr(path.data, '.', path.size);
    bool object = map_member_is_container(member) && member->value.text.data[0] == '{';
    if ((!dotted && !slice_equal(path, SLICE("tags"))) || object ||
        member->flags & (MAP_MEMBER_DEEP | MAP_MEMBER_NAN) || path.data[path.size - 1] == '.')
        return false;
    for (size_t i = 1; i < path.size; i++)
        if (path.data[i] == '.' && path.data[i - 1] == '.')
            return false; // an empty name
    return map_key_under_ecs(path, true) && !clashes_with_slots(path);
}

// Whether the first candidate of those after `path.` is inside it: then path is an object.
static bool is_object(const struct candidate *candidates, size_t count, struct slice path)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct slice at = candidates[middle].name;
        struct slice head = slice_of(at.data, at.size < path.size ? at.size : path.size);
        int side = compare(head, path);
        if (side == 0)
            side = at.size == path.size || at.data[path.size] < '.' ? -1 : 1;
        if (side < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && holds(path, candidates[low].name);
}

// The line's own number of the record: it has a slot, which the agent would fill otherwise. The
// table of keys is full, and only lines of ECS mean this by it.
static bool take_sequence(struct mapper *mapper, struct map_member *member)
{
    static const struct map_key key = {.field = ECS_EVENT_SEQUENCE};
    return slice_equal(member->path, SLICE("event.sequence")) &&
           map_take_long(mapper, member, &key);
}

// Fields of ECS that have no slot stay, sorted by path; a scalar that would have to be an object
// too becomes a label.
static void place_other(struct mapper *mapper)
{
    size_t count = 0;
    struct candidate *found = arena_alloc(mapper->arena, mapper->count * sizeof *found);
    if (!found) {
        mapper->failed = true;
        return;
    }
    for (uint32_t i = 0; i < mapper->count; i++) {
        struct map_member *member = &mapper->members[i];
        if (member->flags & MAP_MEMBER_PLACED || member->value.kind == VALUE_NULL)
            continue;
        if (take_sequence(mapper, member)) {
            member->flags |= MAP_MEMBER_PLACED;
        } else if (may_stay(member->path, member)) {
            found[count++] = (struct candidate){&mapper->fields->other, member->path, member->value,
                                                member->path, 1};
            member->flags |= MAP_MEMBER_STAYS;
        }
    }
    sort(found, count);
    for (uint32_t i = 0; i < mapper->count; i++) {
        struct map_member *member = &mapper->members[i];
        if (member->flags & MAP_MEMBER_STAYS && !is_object(found, count, member->path))
            member->flags |= MAP_MEMBER_PLACED;
    }
    for (size_t i = 0; i < count; i++)
        if (!is_object(found, count, found[i].name))
            add(mapper, &found[i]);
}

static bool is_leftover(const struct map_member *member)
{
    bool null = member->value.kind == VALUE_NULL && !(member->flags & MAP_MEMBER_NAN);
    return !null && !(member->flags & MAP_MEMBER_PLACED);
}

// The usual line: names need no change and are unique. False where one does not fit that.
static bool place_simple(struct mapper *mapper)
{
    for (uint32_t i = 0; i < mapper->count; i++) {
        const struct map_member *member = &mapper->members[i];
        if (!is_leftover(member) || member->group)
            continue;
        struct candidate candidate = classify(mapper, member);
        if (candidate.rank != 1)
            return false;
        add(mapper, &candidate);
    }
    return true;
}

// Every label and app value, those that are there already first.
static void place_sorted(struct mapper *mapper, struct candidate original, bool has_original)
{
    size_t count = 0;
    struct candidate *all = arena_alloc(mapper->arena, (mapper->count + 1) * sizeof *all);
    if (!all) {
        mapper->failed = true;
        return;
    }
    mapper->fields->labels.count = 0;
    mapper->fields->numeric_labels.count = 0;
    mapper->fields->app.count = 0;
    if (has_original)
        all[count++] = original;
    for (uint32_t i = 0; i < mapper->count; i++) {
        const struct map_member *member = &mapper->members[i];
        if (is_leftover(member) && !member->group)
            all[count++] = classify(mapper, member);
    }
    add_sorted(mapper, all, count);
}

void map_place_rest(struct mapper *mapper)
{
    struct named_values *labels = &mapper->fields->labels;
    struct candidate original = {.list = labels};
    bool has_original = labels->count > 0; // labels.level_original
    if (has_original) {
        original.name = labels->items[0].name;
        original.value = labels->items[0].value;
    }
    if (mapper->ecs)
        place_other(mapper);
    bool clash = has_original && map_member_exists(mapper, original.name);
    if (clash || !place_simple(mapper))
        place_sorted(mapper, original, has_original);
    if (mapper->groups)
        map_place_groups(mapper);
}
