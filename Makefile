# ikevd: see `make help`.  GNU make; settings come from config.mk, which ./configure makes,
# which autoconf makes; all of that happens by itself.
#
#   V=1               show the commands
#   B=build/other     build there, beside the first build
#   CC= CFLAGS= ...   as config.mk has them
#   WERROR=1          a warning is an error
#   SANITIZE=address,undefined

B ?= build
SIM_SEEDS ?= 10000
SAN_SIM_SEEDS ?= 500
FUZZ_SECONDS ?= 600
COVERAGE_SIM_SEEDS ?= 300
BENCH_RUNS ?= 5

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

comma := ,
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-6s %s\n' $(1) $(2))

# ---- goals that come before any configuration ----
# They install packages or need root.  Called through sudo, root is for apt-get and network
# namespaces only: whatever is built belongs to the caller.

AS_CALLER := build-aux/as-caller
ROOT_GOALS := packages check check-system check-interop demo soak
FREE_GOALS := help clean distclean

# A nested make has make's own -j; the first one gives it all cores unless told otherwise.
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
build_as_caller = +$(Q)$(AS_CALLER) $(MAKE) --no-print-directory $(jobs)
# 3: something was installed, so what ./configure found is out of date
install_packages = $(Q)build-aux/install-packages $@ $(1); case $$? in \
	0) ;; \
	3) rm -f config.mk ;; \
	*) exit 1 ;; \
	esac
need_root = $(Q)test "$$(id -u)" = 0 || { \
	echo 'ikevd: network namespaces need root; run: sudo make $@' >&2; exit 1; }

unit_tests := $(patsubst tests/unit/%.c,$(B)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))
layer_tests := tests/layers.sh
example_tests := tests/examples.sh
sim_tests = $(if $(wildcard tests/sim/*.c),"$(B)/sim --seeds $(SIM_SEEDS)")
system_tests := $(filter-out tests/netns/lib%,$(sort $(wildcard tests/netns/*.sh)))
fuzz_targets := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
replays := $(fuzz_targets:%=$(B)/tests/replay_%)
interop_tests := $(filter-out tests/interop/lib%,$(sort $(wildcard tests/interop/*.sh)))

run_tests = $(Q)B=$(B) tests/run.sh $(B)/tests
# The scripts mostly wait, each in namespaces of its own; the simulator takes all cores itself.
run_unit = user=caller jobs=1 limit=300 $(unit_tests)
run_layers = user=caller jobs=1 limit=120 $(layer_tests)
run_examples = user=caller jobs=1 limit=300 $(example_tests)
run_replays = user=caller jobs=1 limit=300 \
	$(foreach t,$(fuzz_targets),"$(B)/tests/replay_$(t) tests/fuzz/corpus/$(t)")
run_sim = user=caller jobs=1 limit=600 $(sim_tests)
run_system = user=root jobs=2 limit=300 $(system_tests)
run_interop = user=root jobs=2 limit=400 $(interop_tests)

.PHONY: $(ROOT_GOALS) $(FREE_GOALS)

packages:
	$(call install_packages,build test run interop fuzz lint)

check:
	$(call install_packages,build test run interop)
	$(need_root)
	$(build_as_caller) all tests
	$(run_tests) $(run_unit) $(run_layers) $(run_examples) $(run_replays) $(run_sim) \
		$(run_system) $(run_interop)

check-system:
	$(call install_packages,build test run)
	$(need_root)
	$(build_as_caller) all
	$(run_tests) $(run_system)

check-interop:
	$(call install_packages,build test run interop)
	$(need_root)
	$(build_as_caller) all
	$(run_tests) $(run_interop)

demo:
	$(call install_packages,build run)
	$(need_root)
	$(build_as_caller) all
	$(Q)B=$(B) tests/netns/demo.sh

# Not a part of check: minutes, and longer when wanted.
soak:
	$(call install_packages,build run)
	$(need_root)
	$(build_as_caller) B=$(B)/san SANITIZE=address,undefined CFLAGS='-O1 -g' all
	$(Q)B=$(B)/san tests/soak/mutate.sh

clean:
	$(Q)rm -rf $(B)

distclean: clean
	$(Q)rm -rf build autom4te.cache config.log config.mk config.status configure configure~

help:
	@sed -n 's/^#| \{0,1\}//p' Makefile
#| make                  build everything into build/ (configures by itself)
#| sudo make demo        two hosts and a router in namespaces, a tunnel, packets through it
#| sudo make check       all tests; installs missing Debian packages first
#|   check-unit          unit tests; no root, no network
#|   check-layers        which part may use which symbols and headers
#|   check-examples      the libraries as installed: examples, manuals, symbols, C++, Python
#|   check-fuzz          the kept inputs of make fuzz, without a fuzzer
#|   check-sim           the simulator; SIM_SEEDS=10000
#|   check-system        whole system in network namespaces (root)
#|   check-interop       against strongSwan (root)
#| make check-san        unit tests and simulator under ASan, UBSan and LSan; SAN_SIM_SEEDS=500
#| make mutants          breaks a rule of the libraries at a time: does the simulator see it?
#|                       not a part of check; MUTANTS=NAME: that one
#| make fuzz             libFuzzer on each target for FUZZ_SECONDS=600; FUZZ=NAME: on that one;
#|                       fuzz-merge: make the kept inputs of what was found; needs clang
#| sudo make soak        SOAK=10000000 changed datagrams against an ikevd with sanitizers
#| make bench            what packets, handshakes and sessions cost; BENCH_RUNS=5
#| make lint             clang-tidy, cppcheck, shellcheck, mandoc
#| make coverage         lines of libesp and libike that the tests run; 90 % at least
#| make install          DESTDIR= prefix=/usr/local sysconfdir=/etc; keeps an existing ikev.conf
#|   install-libraries   only libesp, libike and libipsec, with headers and pkg-config files
#| make uninstall        leaves ikev.conf and secrets alone
#| make clean            remove the build folder; distclean: what configure made, too
#| sudo make packages    install the Debian packages for all of this
#|
#| V=1 shows commands, B=build/x builds elsewhere, CC=clang, WERROR=1, SANITIZE=address,undefined

goals := $(filter-out $(ROOT_GOALS) $(FREE_GOALS),$(or $(MAKECMDGOALS),all))
ifneq (,$(goals))
by_sudo := $(if $(filter-out 0,$(SUDO_UID)),$(if $(filter 0,$(shell id -u)),yes))
ifeq ($(by_sudo),yes)

# ---- root by way of sudo: hand the goals on to the caller ----

.PHONY: $(goals)
$(filter-out install install-libraries uninstall,$(goals)):
	$(build_as_caller) $@
install install-libraries uninstall:
	$(build_as_caller) all
	+$(Q)$(MAKE) --no-print-directory by_sudo=no $@

else

# ---- configuration ----

include config.mk

configure: configure.ac
	$(Q)command -v autoconf pkg-config >/dev/null || build-aux/install-packages -n build
	$(call say,CONF,$@)
	$(Q)autoconf -f

# What was said on this make's line is for this build and not for the configuration.
said := CC CFLAGS CPPFLAGS LDFLAGS AR NM READELF
configure_env = env $(foreach v,$(said),$(if $(filter command,$(origin $(v))),-u $(v)))

config.mk: configure config.mk.in build-aux/packages
	$(call say,CONF,$@)
	$(Q)if test -x config.status; then \
		$(configure_env) ./config.status -q --recheck && ./config.status -q; \
		else $(configure_env) ./configure -q; fi

# ---- flags ----

# Foreign headers are in LIB_CFLAGS, by -isystem.
std_flags := -std=c11 -D_GNU_SOURCE -I. -DIKEVD_VERSION='"$(VERSION)"'
ifdef SANITIZE
safety := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
link_safety := $(safety)
else
safety := $(HARDEN_CFLAGS)
link_safety := $(HARDEN_LDFLAGS)
endif

compile = $(CC) $(std_flags) $(CPPFLAGS) $(LIB_CFLAGS) $(WARN_CFLAGS) \
	$(if $(WERROR),-Werror) $(safety) $(CFLAGS)
link = $(CC) -pie $(safety) $(CFLAGS) $(link_safety) $(LDFLAGS)
# What a library needs is named where it is linked, and its own calls stay its own.
link_shared = $(CC) -shared $(safety) $(CFLAGS) $(link_safety) -Wl,-z,defs \
	-Wl,-Bsymbolic-functions $(LDFLAGS)

# note TEXT: rewrites its target when the text is a new one
note = @mkdir -p $(@D); printf '%s\n' $(quoted) | cmp -s - $@ || printf '%s\n' $(quoted) >$@
quoted = '$(subst ','\'',$(strip $(1)))'

# Everything compiled depends on the flags.
$(B)/flags: FORCE
	$(call note,$(compile) $(link))
FORCE:

# ---- sources ----

objects = $(patsubst %.c,$(B)/%.o,$(sort $(wildcard $(1)/*.c)))
libesp := $(call objects,libesp)
libike := $(call objects,libike)
libipsec := $(call objects,libipsec)
daemon := $(filter-out $(B)/daemon/ikevd.o,$(call objects,daemon))
ikevd := $(filter $(B)/daemon/ikevd.o,$(call objects,daemon))
ikectl := $(call objects,ctl)
sim := $(call objects,tests/sim) $(B)/tests/unit/digest.o
bench := $(call objects,tests/bench)
examples := $(patsubst %.c,$(B)/%,$(sort $(wildcard examples/*.c)))
test_mains := $(patsubst $(B)/tests/%,$(B)/tests/unit/%.o,$(unit_tests))
test_helpers := $(filter-out $(test_mains),$(call objects,tests/unit))
fuzz_mains := $(fuzz_targets:%=$(B)/tests/fuzz/fuzz_%.o) $(B)/tests/fuzz/replay.o \
	$(B)/tests/fuzz/seeds.o
fuzz_helpers := $(filter-out $(fuzz_mains),$(call objects,tests/fuzz)) \
	$(patsubst %,$(B)/tests/unit/%.o,digest ends packets pair vectors)
all_objects := $(libesp) $(libike) $(libipsec) $(daemon) $(ikevd) $(ikectl) $(sim) $(bench) \
	$(examples:=.o) \
	$(test_mains) $(test_helpers) $(fuzz_mains) $(fuzz_helpers)

# In linking order; a part without sources has no product.
archives := $(if $(libipsec),$(B)/libipsec.a) $(if $(libike),$(B)/libike.a) \
	$(if $(libesp),$(B)/libesp.a)
daemon_archive := $(if $(daemon),$(B)/daemon.a)
programs := $(if $(ikevd),$(B)/ikevd) $(if $(ikectl),$(B)/ikectl) $(if $(sim),$(B)/sim)

# The libraries as programs outside see them: the headers of their public part, all in one
# folder, and the shared ones, which a sanitizer's build does without.
public_headers := $(addprefix libesp/,bytes.h esp.h selector.h transform.h) \
	$(addprefix libike/,algorithm.h connection.h id.h ike.h proto.h) \
	$(addprefix libipsec/,auth_psk.h batch.h datapath.h endpoint.h ipsec.h loop.h resolve.h \
		udp.h worker.h)
libraries := libesp libike libipsec
headers := $(addprefix $(B)/include/ikev/,$(notdir $(public_headers)))
major := $(firstword $(subst ., ,$(VERSION)))
shared := $(if $(SANITIZE),,$(libraries:%=$(B)/%.so.$(VERSION)))

core_libs := $(SODIUM_LIBS) $(CRYPTO_LIBS) $(EVENT_LIBS)
daemon_libs := $(CONFIG_LIBS) $(JANSSON_LIBS) $(MNL_LIBS) $(NFTABLES_LIBS)

.PHONY: all tests FORCE
all: $(archives) $(daemon_archive) $(programs) $(shared) $(headers) $(examples)
tests: $(unit_tests) $(replays)

# ---- compiling ----

# Everything is position-independent: the archives' objects are the shared libraries', too,
# and the programs are PIE.
$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(compile) -fPIC -MMD -MP -c -o $@ $<

$(test_mains) $(test_helpers) $(fuzz_mains) $(fuzz_helpers): private LIB_CFLAGS += $(CHECK_CFLAGS)

# Installed headers stand beside each other, and find each other there.
define public_header
$(B)/include/ikev/$(notdir $(1)): $(1)
	@mkdir -p $$(@D)
	$$(Q)sed 's|^#include "lib[a-z]*/|#include "|' $$< >$$@
endef
$(foreach h,$(public_headers),$(eval $(call public_header,$(h))))

# Examples are compiled as programs outside are.
$(examples:=.o): private std_flags := -std=c11 -D_GNU_SOURCE -I$(B)/include
$(examples:=.o): | $(headers)

# The interface description that ikevd answers with, as a string for C.
interfaces := $(patsubst %.varlink,$(B)/%.inc,$(wildcard daemon/*.varlink))
$(B)/%.inc: %.varlink
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< >$@
$(daemon) $(ikevd): private LIB_CFLAGS += -I$(B)/daemon
$(daemon) $(ikevd): | $(interfaces)

-include $(all_objects:.o=.d)

# ---- linking ----

$(B)/libesp.a: $(libesp)
$(B)/libike.a: $(libike)
$(B)/libipsec.a: $(libipsec)
$(B)/daemon.a: $(daemon)
$(B)/%.a: $(B)/%.objects
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) crs $@ $(filter %.o,$^)

# So that an archive forgets an object whose source is gone.
.PRECIOUS: $(B)/%.objects
$(B)/%.objects: FORCE
	$(call note,$($*))

# Exported is what the installed headers declare.
$(libraries:%=$(B)/%.map): $(B)/%.map: build-aux/exports $(public_headers)
	$(call say,GEN,$@)
	$(Q)CC='$(CC)' build-aux/exports $* $(VERSION) $(public_headers) >$@

$(B)/libesp.so.$(VERSION): $(libesp)
$(B)/libesp.so.$(VERSION): private libs := $(SODIUM_LIBS) $(CRYPTO_LIBS)
$(B)/libike.so.$(VERSION): $(libike) $(B)/libesp.so.$(VERSION)
$(B)/libike.so.$(VERSION): private libs := $(SODIUM_LIBS) $(CRYPTO_LIBS)
$(B)/libipsec.so.$(VERSION): $(libipsec) $(B)/libike.so.$(VERSION) $(B)/libesp.so.$(VERSION)
$(B)/libipsec.so.$(VERSION): private libs := $(core_libs)
$(shared): $(B)/%.so.$(VERSION): $(B)/%.map
	$(call say,LD,$@)
	$(Q)$(link_shared) -Wl,-soname,$*.so.$(major) -Wl,--version-script=$(B)/$*.map -o $@ \
		$(filter %.o,$^) $(filter %.so.$(VERSION),$^) $(libs)

$(B)/ikevd: $(ikevd) $(daemon_archive) $(archives)
$(B)/ikevd: private libs := $(daemon_libs) $(core_libs)
$(B)/ikectl: $(ikectl)
$(B)/ikectl: private libs := $(JANSSON_LIBS)
$(B)/sim: $(sim) $(archives)
$(B)/sim: private libs := $(core_libs)
# It counts the blocks of memory in use: tests/sim/memory.c.
$(B)/sim: private LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc reallocarray free strdup)
$(B)/bench: $(bench) $(archives)
$(B)/bench: private libs := $(core_libs)
$(examples): $(B)/%: $(B)/%.o $(archives)
$(examples): private libs := $(core_libs)
$(B)/ikevd $(B)/ikectl $(B)/sim $(B)/bench $(examples):
	$(call say,LD,$@)
	$(Q)$(link) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(libs)

$(unit_tests): $(B)/tests/%: $(B)/tests/unit/%.o $(test_helpers) $(daemon_archive) $(archives)
	$(if $(filter yes,$(HAVE_CHECK)),,@build-aux/install-packages -n test; exit 1)
	$(call say,LD,$@)
	$(Q)$(link) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(CHECK_LIBS) $(daemon_libs) $(core_libs)

# A fuzz target comes before the archives, so that what it stands in for is its own.
fuzz_link = $(link) $(1) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(daemon_libs) $(core_libs)

$(replays): $(B)/tests/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o \
		$(fuzz_helpers) $(daemon_archive) $(archives)
	$(call say,LD,$@)
	$(Q)$(fuzz_link)

$(B)/fuzz_seeds: $(B)/tests/fuzz/seeds.o $(fuzz_helpers) $(daemon_archive) $(archives)
	$(call say,LD,$@)
	$(Q)$(fuzz_link)

# It runs the program itself.
$(B)/tests/test_ikectl: | $(B)/ikectl

# ---- tests that need no root ----

.PHONY: check-unit check-layers check-examples check-fuzz check-sim check-san san
check-unit: tests
	$(run_tests) $(run_unit)

check-layers: all
	$(run_tests) $(run_layers)

check-examples: all
	$(Q)build-aux/install-packages -n test
	$(run_tests) $(run_examples)

check-fuzz: $(replays)
	$(run_tests) $(run_replays)

check-sim: all
	$(run_tests) $(run_sim)

# Not a part of check: a second build for each rule that is broken.
.PHONY: mutants
mutants: $(B)/sim
	+$(Q)B=$(B) SIM_SEEDS=$(SIM_SEEDS) tests/sim/mutants.sh $(MUTANTS)

check-san:
	+$(Q)$(MAKE) --no-print-directory $(jobs) B=$(B)/san SANITIZE=address,undefined \
		SIM_SEEDS=$(SAN_SIM_SEEDS) CFLAGS='-O1 -g' san

# Those that stand in for malloc, which a sanitizer keeps for itself, have no checks then,
# and a program without checks is a failure.
san: all tests
	$(run_tests) $(filter-out %/test_faults %/test_tunnel_faults,$(run_unit)) $(run_replays) $(run_sim)

# ---- fuzzing ----
# A second build by clang.  What is found goes to $(B)/fuzz/found/NAME, and an input that
# fails to $(B)/fuzz/NAME-*; the inputs kept in tests/fuzz/corpus are only read.

FUZZ ?= $(fuzz_targets)
fuzz_build = +$(Q)$(MAKE) --no-print-directory $(jobs) B=$(B)/fuzz CC=clang CFLAGS='-O1 -g' \
	SANITIZE=fuzzer-no-link,address,undefined
fuzzers := $(fuzz_targets:%=$(B)/fuzzer_%)

.PHONY: fuzz fuzz-merge fuzz-seeds fuzz-run $(FUZZ:%=fuzz-run-%) $(FUZZ:%=fuzz-merge-%)
fuzz:
	$(Q)build-aux/install-packages -n fuzz
	$(fuzz_build) fuzz-run

# Keeps what reaches new code, in place of what was kept before under a hash's name.
fuzz-merge:
	$(Q)build-aux/install-packages -n fuzz
	$(fuzz_build) $(FUZZ:%=fuzz-merge-%)

fuzz-seeds: $(B)/fuzz_seeds
	$(Q)$(B)/fuzz_seeds tests/fuzz/corpus

$(fuzzers): $(B)/fuzzer_%: $(B)/tests/fuzz/fuzz_%.o $(fuzz_helpers) \
		$(daemon_archive) $(archives)
	$(call say,LD,$@)
	$(Q)$(call fuzz_link,-fsanitize=fuzzer)

# One at a time in each of make's jobs.
fuzz-run: $(FUZZ:%=fuzz-run-%)
$(FUZZ:%=fuzz-run-%): fuzz-run-%: $(B)/fuzzer_%
	$(Q)mkdir -p $(B)/found/$*
	$(call say,FUZZ,"$* for $(FUZZ_SECONDS) s; log: $(B)/$*.log")
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=8192 \
		-print_final_stats=1 -artifact_prefix=$(B)/$*- \
		$(wildcard tests/fuzz/$*.dict:%=-dict=%) \
		$(B)/found/$* tests/fuzz/corpus/$* >$(B)/$*.log 2>&1 || \
		{ tail -n 60 $(B)/$*.log; echo "fuzz: $* failed; $(B)/$*.log"; exit 1; }
	$(Q)sed -n 's/^stat::number_of_executed_units: */    $*: no finding in /p' $(B)/$*.log

$(FUZZ:%=fuzz-merge-%): fuzz-merge-%: $(B)/fuzzer_%
	$(Q)rm -rf $(B)/merged/$* && mkdir -p $(B)/merged/$* $(B)/found/$*
	$(Q)$< -set_cover_merge=1 -max_len=2048 $(B)/merged/$* tests/fuzz/corpus/$* $(B)/found/$* \
		>$(B)/$*-merge.log 2>&1
	$(Q)find tests/fuzz/corpus/$* -regextype egrep -regex '.*/[0-9a-f]{40}' -delete
	$(Q)cp $(B)/merged/$*/* tests/fuzz/corpus/$*/

# ---- bench ----

.PHONY: bench
bench: $(B)/bench
	$(Q)$(B)/bench -n $(BENCH_RUNS)

# ---- coverage ----
# A third build by gcc, from which every count of an earlier run is removed.

.PHONY: coverage coverage-run
coverage:
	+$(Q)$(MAKE) --no-print-directory $(jobs) B=$(B)/coverage CC=gcc CFLAGS='-O0 -g --coverage' \
		HARDEN_CFLAGS= HARDEN_LDFLAGS= SIM_SEEDS=$(COVERAGE_SIM_SEEDS) coverage-run

coverage-run: all tests
	$(Q)find $(B) -name '*.gcda' -delete
	$(Q)CK_TIMEOUT_MULTIPLIER=10 B=$(B) tests/run.sh $(B)/tests \
		$(run_unit) $(run_replays) $(run_sim)
	$(Q)build-aux/coverage $(B) 90 libesp libike

# ---- lint ----

tidy_sources := $(foreach d,libesp libike libipsec daemon ctl tests/sim tests/fuzz tests/unit \
	tests/bench examples, \
	$(wildcard $(d)/*.c))
tidied := $(tidy_sources:%.c=$(B)/lint/%.tidy)
scripts = $(shell grep -lE '^\#!/bin/(ba)?sh' .ci/* build-aux/* tests/*.sh tests/*/*.sh)

.PHONY: lint lint-all lint-tidy lint-cppcheck lint-scripts lint-manuals
lint:
	$(Q)build-aux/install-packages -n lint
	+$(Q)$(MAKE) --no-print-directory $(jobs) -k lint-all
	@echo 'lint: ok'

lint-all: lint-tidy lint-cppcheck lint-scripts lint-manuals
lint-tidy: $(tidied)
# An object is made anew whenever a header of its source has changed.
$(tidied): $(B)/lint/%.tidy: $(B)/%.o .clang-tidy build-aux/tidy build-aux/tidy.known
	$(call say,TIDY,$*.c)
	$(Q)mkdir -p $(@D) && build-aux/tidy $*.c $(std_flags) $(LIB_CFLAGS) $(CHECK_CFLAGS) \
		-I$(B)/daemon -I$(B)/include && touch $@

lint-cppcheck: $(interfaces)
	$(call say,CHECK,sources)
	$(Q)mkdir -p $(B)/lint/cppcheck
	$(Q)cppcheck -q --enable=warning,performance,portability --error-exitcode=1 \
		--cppcheck-build-dir=$(B)/lint/cppcheck --suppressions-list=build-aux/cppcheck.known \
		--library=build-aux/cppcheck.cfg -I. -I$(B)/daemon -D_GNU_SOURCE -DIKEVD_VERSION='"0"' \
		--std=c11 --template='{file}:{line}: {severity}: {message} [{id}]' $(sort $(dir $(tidy_sources)))

lint-scripts:
	$(call say,SHELL,scripts)
	$(Q)shellcheck $(scripts)

# The manuals name each other, and none of them need be installed.
lint-manuals:
	$(call say,MAN,man)
	$(Q)! mandoc -T lint $(man_pages) | grep -v 'referenced manual not found'

# ---- installing ----

man_pages := $(wildcard man/*.[1-8])
installed_libraries = $(foreach l,$(libraries),$(libdir)/$(l).a $(libdir)/$(l).so \
		$(libdir)/$(l).so.$(major) $(libdir)/$(l).so.$(VERSION) $(libdir)/pkgconfig/$(l).pc) \
	$(foreach h,$(headers),$(includedir)/ikev/$(notdir $(h)))
completion = $(prefix)/share/bash-completion/completions/ikectl
installed = $(if $(ikevd),$(sbindir)/ikevd) $(if $(ikectl),$(bindir)/ikectl $(completion)) \
	$(foreach m,$(man_pages),$(mandir)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
	$(unitdir)/ikevd.service $(sysusersdir)/ikevd.conf $(tmpfilesdir)/ikevd.conf \
	$(installed_libraries)
under_prefix = $(1:$(prefix)/%=$${prefix}/%)
pc = sed -e 's|@prefix@|$(prefix)|' -e 's|@includedir@|$(call under_prefix,$(includedir))|' \
	-e 's|@libdir@|$(call under_prefix,$(libdir))|' -e 's|@VERSION@|$(VERSION)|g'
substitute = sed -e 's|@sbindir@|$(sbindir)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' \
	-e 's|@tmpfilesdir@|$(tmpfilesdir)|g'
put = $(Q)install -D -m $(1) $(2) '$(DESTDIR)$(3)'
put_substituted = $(Q)$(substitute) $(1) | install -D -m 644 /dev/stdin '$(DESTDIR)$(2)'

.PHONY: install install-libraries uninstall
install: all install-libraries
	$(if $(ikevd),$(call put,755,$(B)/ikevd,$(sbindir)/ikevd))
	$(if $(ikectl),$(call put,755,$(B)/ikectl,$(bindir)/ikectl))
	$(if $(ikectl),$(call put,644,etc/ikectl.bash,$(completion)))
	$(Q)for page in $(man_pages); do install -D -m 644 $$page \
		"$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}" || exit 1; done
	$(call put_substituted,etc/ikevd.service,$(unitdir)/ikevd.service)
	$(call put_substituted,etc/ikevd.sysusers,$(sysusersdir)/ikevd.conf)
	$(call put_substituted,etc/ikevd.tmpfiles,$(tmpfilesdir)/ikevd.conf)
	$(Q)test -e '$(DESTDIR)$(sysconfdir)/ikev.conf' || \
		install -D -m 644 etc/ikev.conf '$(DESTDIR)$(sysconfdir)/ikev.conf'
	$(Q)test -d '$(DESTDIR)$(sysconfdir)/ikev.secrets.d' || \
		install -d -m 700 '$(DESTDIR)$(sysconfdir)/ikev.secrets.d'
	$(if $(DESTDIR),,@echo 'next: ldconfig && systemd-sysusers && systemd-tmpfiles --create' \
		'&& systemctl enable --now ikevd')

install-libraries: $(archives) $(shared) $(headers)
	$(Q)install -d '$(DESTDIR)$(includedir)/ikev' '$(DESTDIR)$(libdir)/pkgconfig'
	$(Q)install -m 644 $(headers) '$(DESTDIR)$(includedir)/ikev'
	$(Q)install -m 644 $(archives) '$(DESTDIR)$(libdir)'
	$(Q)for l in $(libraries); do \
		$(pc) $$l/$$l.pc.in >'$(DESTDIR)$(libdir)'/pkgconfig/$$l.pc || exit 1; done
	$(if $(shared),$(Q)install -m 755 $(shared) '$(DESTDIR)$(libdir)' && \
		cd '$(DESTDIR)$(libdir)' && for l in $(libraries); do \
		ln -sf $$l.so.$(VERSION) $$l.so.$(major) && ln -sf $$l.so.$(major) $$l.so || \
		exit 1; done)

uninstall:
	$(Q)rm -f $(foreach f,$(installed),'$(DESTDIR)$(f)')
	$(Q)rmdir '$(DESTDIR)$(includedir)/ikev' 2>/dev/null || :
	@echo 'left: $(DESTDIR)$(sysconfdir)/ikev.conf, $(DESTDIR)$(sysconfdir)/ikev.secrets.d'

endif
endif
