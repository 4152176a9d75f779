// Levenshtein's distance with a transposition counted as one, over short names.
#include "base/nearest_name.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_COMPARED 120

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static int folded(char c)
{
    return tolower((unsigned char)c);
}

// Three rows suffice: the one being filled, the one above, and the one above that for
// transpositions.
static unsigned distance_of(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[3][NAME_MAX_COMPARED + 1] = {{0}};
    for (unsigned j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_size; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_size; j++) {
            unsigned same = folded(a[i - 1]) == folded(b[j - 1]) ? 0 : 1;
            row[j] = smaller(smaller(row[j - 1], above[j]) + 1, above[j - 1] + same);
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]))
                row[j] = smaller(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

void nearest_name_init(struct nearest_name *nearest, const char *wanted)
{
    *nearest = (struct nearest_name){.wanted = wanted, .distance = UINT_MAX};
}

void nearest_name_offer(struct nearest_name *nearest, const char *candidate)
{
    size_t wanted = strlen(nearest->wanted), size = strlen(candidate);
    if (wanted > NAME_MAX_COMPARED || size > NAME_MAX_COMPARED || wanted == 0)
        return;
    unsigned distance = distance_of(nearest->wanted, wanted, candidate, size);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        snprintf(nearest->best, sizeof nearest->best, "%s", candidate);
    }
}

const char *nearest_name_best(const struct nearest_name *nearest)
{
    // A third of the letters wrong is a slip; more is another word.
    size_t longer = strlen(nearest->wanted);
    unsigned bearable = longer < 3 ? 1 : (unsigned)(longer + 2) / 3;
    return nearest->best[0] && nearest->distance <= smaller(bearable, 4) ? nearest->best : NULL;
}
