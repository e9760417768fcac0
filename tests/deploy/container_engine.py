"""podman and buildah with a store of their own under build/, so that the machine's images stay as they are."""
import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = ("podman", "buildah", "runc", "debootstrap")


class ContainerEngine:
    def __init__(self, folder):
        """`folder` keeps the images for the next time."""
        if os.geteuid() != 0:
            pytest.skip("containers are started by root here")
        if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
            pytest.skip(f"not installed: {', '.join(missing)}")
        folder.mkdir(parents=True, exist_ok=True)
        storage = folder / "storage.conf"
        storage.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/storage"\nrunroot = "{folder}/run"\n')
        self.folder = folder
        self.environment = {**os.environ, "CONTAINERS_CONF": str(HERE / "containers.conf"),
                            "CONTAINERS_STORAGE_CONF": str(storage), "BUILDAH_ISOLATION": "chroot"}

    def run(self, *command, **options):
        """The finished process; stdout and stderr as text."""
        return subprocess.run([str(part) for part in command], env=self.environment, capture_output=True, text=True, **options)

    def check(self, *command, **options):
        """What a command that succeeds prints."""
        result = self.run(*command, **options)
        assert result.returncode == 0, f"{command}: {result.stderr[-3000:]}"
        return result.stdout.strip()

    def has_image(self, name):
        return self.run("podman", "image", "exists", name).returncode == 0

    def debian(self):
        """An image of Debian 12, made from its packages."""
        name = "localhost/debian:bookworm-minbase"
        if not self.has_image(name):
            base = self.folder / "debian"
            shutil.rmtree(base, ignore_errors=True)
            self.check("debootstrap", "--variant=minbase", "bookworm", base)
            tar = subprocess.Popen(["tar", "-C", base, "-c", "."], stdout=subprocess.PIPE)
            self.check("podman", "import", "--quiet", "-", name, stdin=tar.stdout)
            tar.stdout.close()
            assert tar.wait() == 0
            shutil.rmtree(base)
        return name

    def put(self, container, folder, destination):
        """Copies a folder into a running container, whose root may be read-only, as its user."""
        tar = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        self.check("podman", "exec", container, "mkdir", "-p", destination)
        self.check("podman", "exec", "-i", container, "tar", "-x", "-C", destination, stdin=tar.stdout)
        tar.stdout.close()
        assert tar.wait() == 0
