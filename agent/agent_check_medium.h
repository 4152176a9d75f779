// What check says of the medium that the spool's folder lies on.
#ifndef SLUICE_AGENT_CHECK_MEDIUM_H
#define SLUICE_AGENT_CHECK_MEDIUM_H

struct settings;
struct settings_mistakes;

void agent_check_medium(const struct settings *settings, struct settings_mistakes *mistakes);

#endif
