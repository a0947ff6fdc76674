# The folder of a project; knows nothing of loops, sandboxes or HTTP.
noinst_LIBRARIES += libproject.a
libproject_a_SOURCES = \
	agentd/project/agent.c agentd/project/agent.h \
	agentd/project/agent_place.c agentd/project/agent_place.h \
	agentd/project/agents.c agentd/project/agents.h \
	agentd/project/change.c \
	agentd/project/content.c agentd/project/content.h \
	agentd/project/cross_check.c agentd/project/cross_check.h \
	agentd/project/folder.c agentd/project/folder.h \
	agentd/project/front_matter.c agentd/project/front_matter.h \
	agentd/project/loose_yaml.c agentd/project/loose_yaml.h \
	agentd/project/memory.c \
	agentd/project/place.c agentd/project/place.h \
	agentd/project/problem.c agentd/project/problem.h \
	agentd/project/project.c agentd/project/project.h \
	agentd/project/report.c \
	agentd/project/skill.c agentd/project/skill.h \
	agentd/project/skill_change.c \
	agentd/project/source.c agentd/project/source.h \
	agentd/project/stamp.c agentd/project/stamp.h
libproject_a_CPPFLAGS = $(AM_CPPFLAGS) $(YAML_CFLAGS) $(JANSSON_CFLAGS)
EXTRA_DIST += docs/project.md
