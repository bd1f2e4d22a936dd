"""What this machine runs in, as far as files tell."""

import os

from setpoint_sys.smallfiles import line_of, lines_of

DMI = "/sys/class/dmi/id/"
DMI_FILES = ("product_name", "sys_vendor", "board_vendor", "bios_vendor")
VENDORS = {  # how what is in those files begins
    "KVM": "kvm",
    "OpenStack": "kvm",
    "Amazon EC2": "amazon",
    "QEMU": "qemu",
    "VMware": "vmware",
    "VMW": "vmware",
    "innotek GmbH": "oracle",
    "VirtualBox": "oracle",
    "Xen": "xen",
    "Bochs": "bochs",
    "Parallels": "parallels",
    "BHYVE": "bhyve",
    "Hyper-V": "microsoft",
    "Apple Virtualization": "apple",
    "Google Compute Engine": "google",
}


def virtualization() -> str:
    """Return the container or else the virtual machine around us, in the words of systemd-detect-virt.

    Empty is neither, as far as can be seen: the environment of the first process takes root.
    """
    return _container() or _machine()


def _container() -> str:
    if "microsoft" in line_of("/proc/sys/kernel/osrelease").lower():
        return "wsl"
    if said := line_of("/run/systemd/container"):
        return said
    if os.path.exists("/run/.containerenv"):
        return "podman"
    if os.path.exists("/.dockerenv"):
        return "docker"
    words = line_of("/proc/1/environ").split("\0")
    said = next((word[10:] for word in words if word.startswith("container=")), "")
    return "container-other" if said == "oci" else said


def _machine() -> str:
    for name in DMI_FILES:
        text = line_of(DMI + name)
        for vendor, word in VENDORS.items():
            if text.startswith(vendor):
                return word
    if line_of("/sys/hypervisor/type") == "xen":
        return "xen"
    flags = next((line for line in lines_of("/proc/cpuinfo") if line.startswith("flags")), "")
    return "vm-other" if "hypervisor" in flags.split() else ""
