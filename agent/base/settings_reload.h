// Settings read anew while the agent runs: what may change is taken over, the rest is named.
//
// Loop thread only.
#ifndef SLUICE_BASE_SETTINGS_RELOAD_H
#define SLUICE_BASE_SETTINGS_RELOAD_H

struct settings;

// Names of settings, separated by ", "; cut where they are too many.
struct settings_changes {
    unsigned taken_count, left_count;
    char taken[1024]; // in force from now on
    char left[1024];  // need a restart
};

// Takes the reloadable rows, and the resource attributes, of fresh into running; everything else of
// running stays where it is, so that who borrowed it may keep it. What running had goes to fresh,
// which is then good for nothing but to be freed. 0 or -ENOMEM, and then nothing changed.
int settings_adopt(struct settings *running, struct settings *fresh,
                   struct settings_changes *changes);

#endif
