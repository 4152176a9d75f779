// The settings in force as JSON, for /config: what `sluice explain` prints.
//
// Private to agent/control.
#ifndef SLUICE_CONTROL_SETTINGS_PAGE_H
#define SLUICE_CONTROL_SETTINGS_PAGE_H

#include <stdio.h>

struct settings;

// {"settings":[{"path","value","origin"}…],"resource":[{"name","value","origin"}…]}; a secret's
// value is null, and "secret" true.
void settings_page_write(FILE *out, const struct settings *settings);

#endif
