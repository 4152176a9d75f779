// Reads the YAML file into the draft, by walking its nodes along the table's paths.
#include "base/nearest_name.h"
#include "base/settings_draft.h"
#include "base/settings_load.h"
#include "base/settings_rules.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define KEYS_MAX 1000 // of one mapping
#define DEPTH_MAX 16  // of mappings and lists in each other; the table needs five

struct file_walk {
    struct settings_draft *draft;
    const char *file;
    yaml_document_t document;
};

// Where in the table a mapping stands: a scope, the exporter's or route's name, and the path up to
// here with its final dot.
struct section {
    enum setting_scope scope;
    const char *name;
    char path[128];
};

static struct setting_place place_of(const struct file_walk *walk, yaml_mark_t mark)
{
    return (struct setting_place){
        .origin = ORIGIN_FILE,
        .source = walk->file,
        .line = (unsigned)mark.line + 1,
        .column = (unsigned)mark.column + 1,
    };
}

static const char *kind_of(const yaml_node_t *node)
{
    return node->type == YAML_MAPPING_NODE    ? "a mapping"
           : node->type == YAML_SEQUENCE_NODE ? "a list"
                                              : "a single value";
}

// An empty value, null or ~ stands for "not given", as templates leave behind.
static bool is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const char *text = (const char *)node->data.scalar.value;
    return !text[0] || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

// The node's text; NULL where it is none (a mapping, a list, with a NUL inside): told.
static const char *scalar_of(struct file_walk *walk, const yaml_node_t *node, const char *path,
                             const char *allowed)
{
    struct setting_place place = place_of(walk, node->start_mark);
    if (node->type != YAML_SCALAR_NODE) {
        draft_mistake(walk->draft, &place, path, "is %s; allowed: %s", kind_of(node), allowed);
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        draft_mistake(walk->draft, &place, path, "holds a NUL byte");
        return NULL;
    }
    return text;
}

typedef void visit_fn(struct file_walk *walk, const struct section *section, const char *key,
                      const yaml_node_t *key_node, yaml_node_t *value);

static bool key_repeated(struct file_walk *walk, const yaml_node_t *mapping,
                         const yaml_node_pair_t *pair, const char *key, const char *path)
{
    for (const yaml_node_pair_t *before = mapping->data.mapping.pairs.start; before < pair;
         before++) {
        const yaml_node_t *other = yaml_document_get_node(&walk->document, before->key);
        if (other->type != YAML_SCALAR_NODE ||
            strcmp((const char *)other->data.scalar.value, key) != 0)
            continue;
        const yaml_node_t *node = yaml_document_get_node(&walk->document, pair->key);
        struct setting_place place = place_of(walk, node->start_mark);
        draft_mistake(walk->draft, &place, path, "the key stands here twice; first in line %zu",
                      other->start_mark.line + 1);
        return true;
    }
    return false;
}

static void visit_mapping(struct file_walk *walk, const struct section *section,
                          const yaml_node_t *mapping, visit_fn *visit)
{
    size_t count = 0;
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key_node = yaml_document_get_node(&walk->document, pair->key);
        if (++count > KEYS_MAX) {
            struct setting_place place = place_of(walk, key_node->start_mark);
            draft_mistake(walk->draft, &place, section->path, "more than %d keys", KEYS_MAX);
            return;
        }
        const char *key = scalar_of(walk, key_node, section->path, "a name as key");
        if (!key)
            continue;
        char path[SETTING_PATH_MAX];
        snprintf(path, sizeof path, "%s%s%s%s%.200s", setting_scope_prefix(section->scope),
                 section->name, section->name[0] ? "." : "", section->path, key);
        yaml_node_t *value = yaml_document_get_node(&walk->document, pair->value);
        if (!key_repeated(walk, mapping, pair, key, path))
            visit(walk, section, key, key_node, value);
    }
}

static void visit_member(struct file_walk *walk, const struct section *section, const char *key,
                         const yaml_node_t *key_node, yaml_node_t *value)
{
    char path[SETTING_PATH_MAX];
    struct setting_target target = {0};
    char row_path[sizeof section->path];
    snprintf(row_path, sizeof row_path, "%.*s", (int)strlen(section->path) - 1, section->path);
    target.row = setting_row_find(section->scope, row_path);
    snprintf(target.name, sizeof target.name, "%s", section->name);
    struct setting_place place = place_of(walk, key_node->start_mark);
    bool named = draft_set_key(&target, key);
    draft_path(&target, path, sizeof path);
    if (!named) {
        draft_mistake(walk->draft, &place, path, "a name is empty or longer than %zu bytes",
                      sizeof target.key - 1);
        return;
    }
    if (is_null(value))
        return;
    const char *text = scalar_of(walk, value, path, "a text");
    place = place_of(walk, value->start_mark);
    if (text)
        draft_add(walk->draft, &target, text, &place);
}

static void read_list(struct file_walk *walk, const struct setting_target *target, const char *path,
                      const yaml_node_t *node)
{
    struct setting_place place = place_of(walk, node->start_mark);
    size_t items = 0;
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++, items++) {
        const yaml_node_t *value = yaml_document_get_node(&walk->document, *item);
        const char *text = scalar_of(walk, value, path, "a name");
        place = place_of(walk, value->start_mark);
        if (text)
            draft_add(walk->draft, target, text, &place);
    }
    if (items == 0)
        draft_add(walk->draft, target, "", &place); // given, and empty
}

static void read_value(struct file_walk *walk, const struct setting_target *target,
                       const char *path, yaml_node_t *node)
{
    char allowed[300];
    struct setting_place place = place_of(walk, node->start_mark);
    const struct setting_row *row = target->row;
    if (!target->from_file && row->type == SETTING_MAP && node->type == YAML_MAPPING_NODE) {
        struct section section = {.scope = row->scope, .name = target->name};
        snprintf(section.path, sizeof section.path, "%s.", row->path);
        visit_mapping(walk, &section, node, visit_member);
        return;
    }
    if (!target->from_file && row->type == SETTING_LIST && node->type == YAML_SEQUENCE_NODE) {
        read_list(walk, target, path, node);
        return;
    }
    setting_describe(row, allowed, sizeof allowed);
    if (!target->from_file && row->type == SETTING_MAP) {
        draft_mistake(walk->draft, &place, path, "is %s; allowed: %s", kind_of(node), allowed);
        return;
    }
    const char *text = scalar_of(walk, node, path, target->from_file ? "a file's name" : allowed);
    if (text)
        draft_add_text(walk->draft, target, text, &place);
}

// Offers the keys that may stand in this section, and the whole paths that end in the wanted key.
static void tell_unknown(struct file_walk *walk, const struct section *section, const char *key,
                         const yaml_node_t *key_node)
{
    struct nearest_name nearest;
    nearest_name_init(&nearest, key);
    const char *elsewhere = NULL;
    size_t prefix = strlen(section->path);
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        if (row->scope == section->scope && strncmp(row->path, section->path, prefix) == 0) {
            char part[128];
            snprintf(part, sizeof part, "%.*s", (int)strcspn(row->path + prefix, "."),
                     row->path + prefix);
            nearest_name_offer(&nearest, part);
        }
        const char *dot = strrchr(row->path, '.');
        if (strcmp(dot ? dot + 1 : row->path, key) == 0 && !elsewhere)
            elsewhere = row->scope == SCOPE_EXPORTER ? "exporters.NAME."
                        : row->scope == SCOPE_ROUTE  ? "routes.NAME."
                                                     : "";
    }
    if (section->scope == SCOPE_AGENT && prefix == 0) {
        nearest_name_offer(&nearest, "exporters");
        nearest_name_offer(&nearest, "routes");
    }
    char path[SETTING_PATH_MAX];
    snprintf(path, sizeof path, "%s%s%s%s%.200s", setting_scope_prefix(section->scope),
             section->name, section->name[0] ? "." : "", section->path, key);
    struct setting_place place = place_of(walk, key_node->start_mark);
    const char *best = nearest_name_best(&nearest);
    if (best)
        draft_mistake(walk->draft, &place, path, "no such setting; did you mean \"%s\"?", best);
    else if (elsewhere && elsewhere[0])
        draft_mistake(walk->draft, &place, path, "no such setting here; it belongs to %s%s",
                      elsewhere, key);
    else
        draft_mistake(walk->draft, &place, path, "no such setting");
}

static bool is_section(const struct section *section, const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < setting_row_count; i++)
        if (setting_rows[i].scope == section->scope &&
            strncmp(setting_rows[i].path, path, size) == 0 && setting_rows[i].path[size] == '.')
            return true;
    return false;
}

static const struct setting_row *row_of_key(const struct section *section, const char *key,
                                            bool *from_file)
{
    char path[256];
    snprintf(path, sizeof path, "%s%.100s", section->path, key);
    const struct setting_row *row = setting_row_find(section->scope, path);
    size_t size = strlen(path);
    *from_file = !row && size > 5 && strcmp(path + size - 5, "_file") == 0;
    if (!*from_file)
        return row;
    path[size - 5] = '\0';
    return setting_row_find(section->scope, path);
}

static void visit_setting(struct file_walk *walk, const struct section *section, const char *key,
                          const yaml_node_t *key_node, yaml_node_t *value)
{
    struct setting_target target = {0};
    target.row = row_of_key(section, key, &target.from_file);
    if (target.row) {
        char path[SETTING_PATH_MAX];
        snprintf(target.name, sizeof target.name, "%s", section->name);
        draft_path(&target, path, sizeof path);
        if (!is_null(value))
            read_value(walk, &target, path, value);
        return;
    }
    struct section inner = {.scope = section->scope, .name = section->name};
    char path[256];
    snprintf(path, sizeof path, "%s%.100s", section->path, key);
    if (!is_section(section, path)) {
        tell_unknown(walk, section, key, key_node);
        return;
    }
    if (is_null(value))
        return;
    struct setting_place place = place_of(walk, value->start_mark);
    if (value->type != YAML_MAPPING_NODE) {
        draft_mistake(walk->draft, &place, path, "is %s; allowed: a mapping", kind_of(value));
        return;
    }
    snprintf(inner.path, sizeof inner.path, "%.100s.", path);
    visit_mapping(walk, &inner, value, visit_setting);
}

// exporters.NAME and routes.NAME: makes the name known, then reads what stands below it.
static void visit_named(struct file_walk *walk, const struct section *section, const char *key,
                        const yaml_node_t *key_node, yaml_node_t *value)
{
    struct settings_draft *draft = walk->draft;
    bool exporter = section->scope == SCOPE_EXPORTER;
    struct setting_name *names = exporter ? draft->exporters : draft->routes;
    unsigned *count = exporter ? &draft->exporter_count : &draft->route_count;
    unsigned most = exporter ? EXPORTER_MAX : ROUTE_MAX;
    const char *what = exporter ? "exporters" : "routes";
    struct setting_place place = place_of(walk, key_node->start_mark);
    const char *allowed = rule_name(key);
    char shown[100];
    if (allowed) {
        draft_mistake(draft, &place, what, "the name %s is not usable; allowed: %s",
                      draft_quote("", key, shown, sizeof shown), allowed);
        return;
    }
    if (*count == most) {
        draft_mistake(draft, &place, what, "more than %u", most);
        return;
    }
    snprintf(names[*count].name, sizeof names[*count].name, "%s", key);
    names[(*count)++].place = place;
    if (is_null(value))
        return;
    struct section inner = {.scope = section->scope, .name = key};
    place = place_of(walk, value->start_mark);
    if (value->type == YAML_MAPPING_NODE)
        visit_mapping(walk, &inner, value, visit_setting);
    else
        draft_mistake(draft, &place, what, "%s is %s; allowed: a mapping", key, kind_of(value));
}

static void visit_top(struct file_walk *walk, const struct section *section, const char *key,
                      const yaml_node_t *key_node, yaml_node_t *value)
{
    bool exporters = strcmp(key, "exporters") == 0;
    if (!exporters && strcmp(key, "routes") != 0) {
        visit_setting(walk, section, key, key_node, value);
        return;
    }
    if (is_null(value))
        return;
    struct section named = {.scope = exporters ? SCOPE_EXPORTER : SCOPE_ROUTE, .name = ""};
    struct setting_place place = place_of(walk, value->start_mark);
    if (value->type != YAML_MAPPING_NODE)
        draft_mistake(walk->draft, &place, key, "is %s; allowed: a mapping of names",
                      kind_of(value));
    else if (value->data.mapping.pairs.start == value->data.mapping.pairs.top)
        draft_mistake(walk->draft, &place, key, "is empty; leave it out for the defaults");
    else
        visit_mapping(walk, &named, value, visit_named);
}

static void tell_parser(struct file_walk *walk, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        walk->draft->no_memory = true;
        return;
    }
    struct setting_place place = place_of(walk, parser->problem_mark);
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    draft_mistake(walk->draft, &place, "", "not YAML: %s%s%s", problem, parser->context ? " " : "",
                  parser->context ? parser->context : "");
}

static void walk_document(struct file_walk *walk)
{
    const struct section top = {.scope = SCOPE_AGENT, .name = ""};
    const yaml_node_t *root = yaml_document_get_root_node(&walk->document);
    if (!root || is_null(root))
        return; // an empty file asks for the defaults
    if (root->type == YAML_MAPPING_NODE) {
        visit_mapping(walk, &top, root, visit_top);
        return;
    }
    struct setting_place place = place_of(walk, root->start_mark);
    draft_mistake(walk->draft, &place, "", "the file is %s; allowed: a mapping of settings",
                  kind_of(root));
}

static void refuse_second_document(struct file_walk *walk, yaml_parser_t *parser)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second)) {
        tell_parser(walk, parser);
        return;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    if (root) {
        struct setting_place place = place_of(walk, second.start_mark);
        draft_mistake(walk->draft, &place, "", "a second document starts here; one is allowed");
    }
    yaml_document_delete(&second);
}

// libyaml's work for a token grows with the depth it is at, so that a file of brackets alone would
// take minutes. Its events tell the depth as they come.
static bool depth_holds(struct file_walk *walk, const char *text, size_t size)
{
    yaml_parser_t parser;
    yaml_event_t event;
    unsigned depth = 0;
    bool more = true;
    if (!yaml_parser_initialize(&parser)) {
        walk->draft->no_memory = true;
        return false;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    // What is no YAML is told where the document is read.
    while (more && depth <= DEPTH_MAX && yaml_parser_parse(&parser, &event)) {
        if (event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT)
            depth++;
        else if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT)
            depth--;
        more = event.type != YAML_STREAM_END_EVENT;
        if (depth > DEPTH_MAX) {
            struct setting_place place = place_of(walk, event.start_mark);
            draft_mistake(walk->draft, &place, "", "more than %d levels of mappings and lists",
                          DEPTH_MAX);
        }
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return depth <= DEPTH_MAX;
}

void draft_add_file(struct settings_draft *draft, const char *file, const char *text, size_t size)
{
    struct file_walk walk = {.draft = draft, .file = file};
    yaml_parser_t parser;
    if (!depth_holds(&walk, text, size))
        return;
    if (!yaml_parser_initialize(&parser)) {
        draft->no_memory = true;
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (yaml_parser_load(&parser, &walk.document)) {
        walk_document(&walk);
        refuse_second_document(&walk, &parser);
        yaml_document_delete(&walk.document);
    } else {
        tell_parser(&walk, &parser);
    }
    yaml_parser_delete(&parser);
}
