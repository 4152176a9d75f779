// Placeholder until the rooms exist.
typedef int agent_placeholder;
