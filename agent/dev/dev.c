// Puts the embedded Kafka and OTLP receiver together and prints what arrives at them.
#include "dev/dev.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/terminal_text.h"
#include "dev/dev_kafka.h"
#include "dev/dev_otlp.h"
#include "dev/dev_traces.h"

#include <stdlib.h>
#include <unistd.h>

#define TOPIC_DEFAULT "logs"
#define QUIET_DEFAULT_NS (500 * NS_PER_MS)
#define FINISH_NS (5 * NS_PER_S)

struct dev {
    FILE *out;
    bool colour;
    struct dev_kafka *kafka;
    struct dev_otlp *otlp;
    struct dev_traces *traces;
};

// Quotes inside JSON strings are escaped, so that this is the field and never a message's text.
static const char *colour_of(struct slice document)
{
    static const struct {
        struct slice text;
        const char *colour;
    } levels[] = {
        {{"\"level\":\"error\"", 15}, "\033[31m"}, {{"\"level\":\"fatal\"", 15}, "\033[31m"},
        {{"\"level\":\"warn\"", 14}, "\033[33m"},  {{"\"level\":\"debug\"", 15}, "\033[2m"},
        {{"\"level\":\"trace\"", 15}, "\033[2m"},
    };
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (document.size > 0 &&
            memmem(document.data, document.size, levels[i].text.data, levels[i].text.size))
            return levels[i].colour;
    return NULL;
}

static void on_document(void *ctx, struct slice payload)
{
    struct dev *dev = ctx;
    const char *colour = dev->colour ? colour_of(payload) : NULL;
    if (colour)
        fputs(colour, dev->out);
    terminal_text_put(dev->out, payload, TERMINAL_JSON);
    fputs(colour ? "\033[0m\n" : "\n", dev->out);
    fflush(dev->out);
}

static int on_spans(void *ctx, struct slice request)
{
    struct dev *dev = ctx;
    return dev_traces_add(dev->traces, request);
}

int dev_new(struct dev **out, const struct dev_config *config)
{
    struct dev *dev = calloc(1, sizeof *dev);
    if (!dev)
        return -ENOMEM;
    dev->out = config->out;
    dev->colour = isatty(fileno(config->out)) == 1;
    struct dev_traces_config traces = {.loop = config->loop,
                                       .out = config->out,
                                       .colour = dev->colour,
                                       .quiet_ns =
                                           config->quiet_ns ? config->quiet_ns : QUIET_DEFAULT_NS};
    int r = dev_traces_new(&dev->traces, &traces);
    if (r == 0)
        r = dev_otlp_new(&dev->otlp, config->loop, (struct dev_otlp_reader){on_spans, dev});
    if (r == 0)
        r = dev_kafka_new(&dev->kafka, config->loop, config->topic ? config->topic : TOPIC_DEFAULT,
                          (struct dev_kafka_reader){on_document, dev});
    if (r < 0) {
        dev_free(dev);
        return r;
    }
    *out = dev;
    return 0;
}

const char *dev_brokers(const struct dev *dev)
{
    return dev_kafka_brokers(dev->kafka);
}

const char *dev_otlp_endpoint(const struct dev *dev)
{
    return dev_otlp_url(dev->otlp);
}

void dev_finish(struct dev *dev)
{
    dev_kafka_drain(dev->kafka, FINISH_NS);
    dev_traces_print(dev->traces);
}

void dev_free(struct dev *dev)
{
    if (!dev)
        return;
    dev_kafka_free(dev->kafka);
    dev_otlp_free(dev->otlp);
    dev_traces_free(dev->traces);
    free(dev);
}
