// @timestamp, from any of the forms loggers write.
#include "decode/map_time.h"

#include "decode/map_members.h"

#include "base/clock.h"

static bool two_digits(const char *at, unsigned *out)
{
    unsigned tens = (unsigned)(at[0] - '0'), ones = (unsigned)(at[1] - '0');
    *out = 10 * tens + ones;
    return tens <= 9 && ones <= 9;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar, by eras of 400 years from March on.
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

// "2026-11-22T19:28:47" at text, as seconds since 1970.
static bool parse_seconds(const char *text, int64_t *out)
{
    unsigned century, year, month, day, hour, minute, second;
    if (!two_digits(text, &century) || !two_digits(text + 2, &year) ||
        !two_digits(text + 5, &month) || !two_digits(text + 8, &day) ||
        !two_digits(text + 11, &hour) || !two_digits(text + 14, &minute) ||
        !two_digits(text + 17, &second))
        return false;
    if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') ||
        text[13] != ':' || text[16] != ':')
        return false;
    year += 100 * century;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 59)
        return false;
    *out = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

// Seconds east of UTC; the whole rest of the text must be the zone.
static bool parse_zone(struct slice text, int64_t *out)
{
    unsigned hours, minutes = 0;
    *out = 0;
    if (text.size == 0 || (text.size == 1 && text.data[0] == 'Z'))
        return true;
    if (text.size < 3 || (text.data[0] != '+' && text.data[0] != '-') ||
        !two_digits(text.data + 1, &hours))
        return false;
    size_t at = text.size > 3 && text.data[3] == ':' ? 4 : 3;
    if (text.size != 3 && (text.size != at + 2 || !two_digits(text.data + at, &minutes)))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *out = (text.data[0] == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// A fraction's digits from *at on, as nanoseconds.
static int64_t parse_fraction(struct slice text, size_t *at)
{
    int64_t ns = 0;
    unsigned digits = 0;
    for (; *at < text.size && is_digit(text.data[*at]); ++*at) {
        if (digits++ < 9)
            ns = 10 * ns + (text.data[*at] - '0');
    }
    for (; digits < 9; digits++)
        ns *= 10;
    return ns;
}

static bool parse_iso(struct slice text, uint64_t *ns)
{
    int64_t seconds, zone, fraction = 0;
    if (text.size < 19 || !parse_seconds(text.data, &seconds))
        return false;
    size_t at = 19;
    if (text.size > 20 && (text.data[19] == '.' || text.data[19] == ',') &&
        is_digit(text.data[20])) {
        at = 20;
        fraction = parse_fraction(text, &at);
    }
    while (at < text.size && text.data[at] == ' ')
        at++;
    if (!parse_zone(slice_of(text.data + at, text.size - at), &zone))
        return false;
    int64_t total;
    if (__builtin_mul_overflow(seconds - zone, (int64_t)NS_PER_S, &total) ||
        __builtin_add_overflow(total, fraction, &total) || total <= 0)
        return false;
    *ns = (uint64_t)total;
    return true;
}

// An epoch in seconds, milli-, micro- or nanoseconds, told apart by its size.
static bool parse_number(const struct map_member *member, uint64_t *ns)
{
    int64_t whole, total;
    if (!map_member_scaled(member, 0, &whole))
        return false;
    unsigned scale = whole < 100000000000         ? 9
                     : whole < 100000000000000    ? 6
                     : whole < 100000000000000000 ? 3
                                                  : 0;
    if (!map_member_scaled(member, scale, &total) || total < TIME_PLAUSIBLE_NS)
        return false;
    *ns = (uint64_t)total;
    return true;
}

bool time_parse(struct slice text, uint64_t *ns)
{
    if (parse_iso(text, ns))
        return true;
    if (text.size < 10 || text.size > 19)
        return false;
    struct map_member number = {.value = {.kind = VALUE_INTEGER}};
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]) ||
            __builtin_mul_overflow(number.value.integer, 10, &number.value.integer) ||
            __builtin_add_overflow(number.value.integer, text.data[i] - '0', &number.value.integer))
            return false;
    }
    return parse_number(&number, ns);
}

static bool member_time(struct mapper *mapper, const struct map_member *member, uint64_t *ns)
{
    struct slice text;
    if (map_member_is_number(member))
        return parse_number(member, ns);
    return map_member_text(mapper, member, &text) && time_parse(text, ns);
}

// logback writes milliseconds beside the nanoseconds of the second.
static void add_nanoseconds(struct mapper *mapper, uint64_t *ns)
{
    struct map_member *member = map_known(mapper, KNOWN_NANOSECONDS);
    if (!member || member->value.kind != VALUE_INTEGER || member->value.integer < 0 ||
        member->value.integer >= (int64_t)NS_PER_S)
        return;
    *ns = *ns / NS_PER_S * NS_PER_S + (uint64_t)member->value.integer;
    member->flags |= MAP_MEMBER_PLACED;
}

bool map_take_time(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    uint64_t ns;
    if (!mapper->record || !member_time(mapper, member, &ns))
        return false;
    if (key->known == KNOWN_TIMESTAMP && map_member_is_number(member))
        add_nanoseconds(mapper, &ns);
    uint64_t chosen = mapper->record->time_ns;
    if (chosen == 0) {
        mapper->record->time_ns = ns;
        return true;
    }
    // The same moment once more says nothing; another one is the app's own.
    return ns < chosen + NS_PER_S && chosen < ns + NS_PER_S;
}

bool map_take_created(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    uint64_t ns;
    (void)key;
    if (!mapper->record || mapper->record->observed_ns || !member_time(mapper, member, &ns))
        return false;
    mapper->record->observed_ns = ns;
    return true;
}
