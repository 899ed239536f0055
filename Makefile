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

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-6s %s\n' $(1) $(2))

# ---- goals that come before any configuration ----
# They install packages or need root.  Called through sudo, root is for apt-get and network
# namespaces only: whatever is built belongs to the caller.

AS_CALLER := build-aux/as-caller
ROOT_GOALS := packages check check-system check-interop demo
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
sim_tests = $(if $(wildcard tests/sim/*.c),"$(B)/sim --seeds $(SIM_SEEDS)")
system_tests := $(filter-out tests/netns/lib%,$(sort $(wildcard tests/netns/*.sh)))
interop_tests := $(filter-out tests/interop/lib%,$(sort $(wildcard tests/interop/*.sh)))

run_tests = $(Q)B=$(B) tests/run.sh $(B)/tests
run_unit = user=caller limit=120 $(unit_tests)
run_layers = user=caller limit=120 $(layer_tests)
run_sim = user=caller limit=400 $(sim_tests)
run_system = user=root limit=240 $(system_tests)
run_interop = user=root limit=400 $(interop_tests)

.PHONY: $(ROOT_GOALS) $(FREE_GOALS)

packages:
	$(call install_packages,build test run interop)

check:
	$(call install_packages,build test run interop)
	$(need_root)
	$(build_as_caller) all tests
	$(run_tests) $(run_unit) $(run_layers) $(run_sim) $(run_system) $(run_interop)

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
#|   check-sim           the simulator; SIM_SEEDS=10000
#|   check-system        whole system in network namespaces (root)
#|   check-interop       against strongSwan (root)
#| make check-san        unit tests and simulator under ASan, UBSan and LSan; SAN_SIM_SEEDS=500
#| make install          DESTDIR= prefix=/usr/local sysconfdir=/etc; keeps an existing ikev.conf
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
$(filter-out install uninstall,$(goals)):
	$(build_as_caller) $@
install uninstall:
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
sim := $(call objects,tests/sim)
test_mains := $(patsubst $(B)/tests/%,$(B)/tests/unit/%.o,$(unit_tests))
test_helpers := $(filter-out $(test_mains),$(call objects,tests/unit))
all_objects := $(libesp) $(libike) $(libipsec) $(daemon) $(ikevd) $(ikectl) $(sim) \
	$(test_mains) $(test_helpers)

# In linking order; a part without sources has no product.
archives := $(if $(libipsec),$(B)/libipsec.a) $(if $(libike),$(B)/libike.a) \
	$(if $(libesp),$(B)/libesp.a)
daemon_archive := $(if $(daemon),$(B)/daemon.a)
programs := $(if $(ikevd),$(B)/ikevd) $(if $(ikectl),$(B)/ikectl) $(if $(sim),$(B)/sim)

core_libs := $(SODIUM_LIBS) $(CRYPTO_LIBS) $(EVENT_LIBS)
daemon_libs := $(CONFIG_LIBS) $(JANSSON_LIBS) $(MNL_LIBS) $(NFTABLES_LIBS)

.PHONY: all tests FORCE
all: $(archives) $(daemon_archive) $(programs)
tests: $(unit_tests)

# ---- compiling ----

# Everything is position-independent: the archives' objects may one day be in a shared
# library, the programs are PIE.
$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(compile) -fPIC -MMD -MP -c -o $@ $<

$(test_mains) $(test_helpers): private LIB_CFLAGS += $(CHECK_CFLAGS)

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

$(B)/ikevd: $(ikevd) $(daemon_archive) $(archives)
$(B)/ikevd: private libs := $(daemon_libs) $(core_libs)
$(B)/ikectl: $(ikectl)
$(B)/ikectl: private libs := $(JANSSON_LIBS)
$(B)/sim: $(sim) $(archives)
$(B)/sim: private libs := $(core_libs)
$(B)/ikevd $(B)/ikectl $(B)/sim:
	$(call say,LD,$@)
	$(Q)$(link) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(libs)

$(unit_tests): $(B)/tests/%: $(B)/tests/unit/%.o $(test_helpers) $(daemon_archive) $(archives)
	$(if $(filter yes,$(HAVE_CHECK)),,@build-aux/install-packages -n test; exit 1)
	$(call say,LD,$@)
	$(Q)$(link) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(CHECK_LIBS) $(daemon_libs) $(core_libs)

# It runs the program itself.
$(B)/tests/test_ikectl: | $(B)/ikectl

# ---- tests that need no root ----

.PHONY: check-unit check-layers check-sim check-san san
check-unit: tests
	$(run_tests) $(run_unit)

check-layers: all
	$(run_tests) $(run_layers)

check-sim: all
	$(run_tests) $(run_sim)

check-san:
	+$(Q)$(MAKE) --no-print-directory $(jobs) B=$(B)/san SANITIZE=address,undefined \
		SIM_SEEDS=$(SAN_SIM_SEEDS) CFLAGS='-O1 -g' san

san: all tests
	$(run_tests) $(run_unit) $(run_sim)

# ---- installing ----

man_pages := $(wildcard man/*.[1-8])
installed = $(if $(ikevd),$(sbindir)/ikevd) $(if $(ikectl),$(bindir)/ikectl) \
	$(foreach m,$(man_pages),$(mandir)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
	$(unitdir)/ikevd.service $(sysusersdir)/ikevd.conf $(tmpfilesdir)/ikevd.conf
substitute = sed -e 's|@sbindir@|$(sbindir)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' \
	-e 's|@tmpfilesdir@|$(tmpfilesdir)|g'
put = $(Q)install -D -m $(1) $(2) '$(DESTDIR)$(3)'
put_substituted = $(Q)$(substitute) $(1) | install -D -m 644 /dev/stdin '$(DESTDIR)$(2)'

.PHONY: install uninstall
install: all
	$(if $(ikevd),$(call put,755,$(B)/ikevd,$(sbindir)/ikevd))
	$(if $(ikectl),$(call put,755,$(B)/ikectl,$(bindir)/ikectl))
	$(Q)for page in $(man_pages); do install -D -m 644 $$page \
		"$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}" || exit 1; done
	$(call put_substituted,etc/ikevd.service,$(unitdir)/ikevd.service)
	$(call put_substituted,etc/ikevd.sysusers,$(sysusersdir)/ikevd.conf)
	$(call put_substituted,etc/ikevd.tmpfiles,$(tmpfilesdir)/ikevd.conf)
	$(Q)test -e '$(DESTDIR)$(sysconfdir)/ikev.conf' || \
		install -D -m 644 etc/ikev.conf '$(DESTDIR)$(sysconfdir)/ikev.conf'
	$(Q)test -d '$(DESTDIR)$(sysconfdir)/ikev.secrets.d' || \
		install -d -m 700 '$(DESTDIR)$(sysconfdir)/ikev.secrets.d'
	$(if $(DESTDIR),,@echo 'next: systemd-sysusers && systemd-tmpfiles --create' \
		'&& systemctl enable --now ikevd')

uninstall:
	$(Q)rm -f $(foreach f,$(installed),'$(DESTDIR)$(f)')
	@echo 'left: $(DESTDIR)$(sysconfdir)/ikev.conf, $(DESTDIR)$(sysconfdir)/ikev.secrets.d'

endif
endif
