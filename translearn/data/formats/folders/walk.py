"""Walk over the files below a folder: each once, whatever links there are.

A link to what is listed under its own path is passed over: to a sibling, a parent, itself. A link out of the folder is
followed, and each directory that is reached so is visited once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pyarrow.fs as pafs

from translearn.data.formats.folders.names import is_passed_over, looks_like_image
from translearn.storage.folder import Folder


@dataclass
class Tree:
    """The content of a folder, as paths below it, in order.

    Attributes:
        files: The files, and links to no file that have an image's name.
        folders: The folders, and links to one or to nowhere.
        hidden: Files and folders that are hidden, or a system's own; nothing below them is listed.
        links: Links to what is listed anyway.
        again: Links out of the folder to a directory that was reached before: (link, the path by which it was).
        strange: Other links to nowhere; pipes, sockets and devices, which are never opened.
        unreadable: Folders that cannot be read, with the reason.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    again: list[tuple[str, str]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def walk(folder: Folder) -> Tree:
    """Return all that is below a folder, on any file system. Names that are no UTF-8 hold surrogates."""
    tree = _Walk(os.path.realpath(folder.path)).tree() if folder.is_local else _remote(folder)
    for names in (tree.files, tree.folders, tree.hidden, tree.links, tree.strange, tree.unreadable):
        names.sort()
    return tree


@dataclass
class _Walk:
    """Walk over a local folder.

    Attributes:
        root: The folder's real path.
        found: What was found so far.
        outside: Real path of each directory outside of the root that was visited, to its path below the root.
    """

    root: str
    found: Tree = field(default_factory=Tree)
    outside: dict[str, str] = field(default_factory=dict)

    def tree(self) -> Tree:
        """Return the whole tree: first what is really there, then what links add, in their order."""
        links = self._visit(self.root, "")
        while links:
            links = [further for link in sorted(links) for further in self._follow(link)]
        return self.found

    def _visit(self, directory: str, path: str) -> list[str]:
        """List a directory and all real ones below it; return the links."""
        links, todo = [], [(directory, path)]
        while todo:
            directory, path = todo.pop()
            if not self._is_first(directory, path):
                continue
            for entry in self._entries(directory, path):
                name = f"{path}/{entry.name}" if path else entry.name
                if is_passed_over(entry.name):
                    self.found.hidden.append(name)
                elif entry.is_symlink():
                    links.append(name)
                elif entry.is_dir():
                    self.found.folders.append(name)
                    todo.append((entry.path, name))
                else:
                    (self.found.files if entry.is_file() else self.found.strange).append(name)
        return links

    def _is_first(self, directory: str, path: str) -> bool:
        if _is_below(directory, self.root):
            return True
        if directory in self.outside:
            self.found.again.append((path, self.outside[directory]))
            return False
        self.outside[directory] = path
        return True

    def _entries(self, directory: str, path: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as entries:
                yield from entries
        except OSError as error:
            self.found.unreadable.append(f"{path or '.'} ({error.strerror})")

    def _follow(self, link: str) -> list[str]:
        """Take the target of a link where it is not listed under its own path; return the links below it."""
        target = os.path.realpath(f"{self.root}/{link}")
        mode = _mode(target)
        if _is_below(self.root, target):
            self.found.links.append(link)  # to the folder itself, or to one above
            return []
        if stat.S_ISDIR(mode) or (not mode and not PurePosixPath(link).suffix):
            self.found.folders.append(link)  # where nothing is found in it, an empty one
        if mode and self._is_listed(target):
            self.found.links.append(link)
        elif stat.S_ISDIR(mode):
            return self._visit(target, link)
        else:
            is_file = stat.S_ISREG(mode) or (not mode and looks_like_image(link))
            (self.found.files if is_file else self.found.strange).append(link)
        return []

    def _is_listed(self, target: str) -> bool:
        """Return whether the walk meets a path without a link."""
        if not _is_below(target, self.root):
            return False
        return not any(map(is_passed_over, os.path.relpath(target, self.root).split("/")))


def _mode(path: str) -> int:
    """Return the mode of a file, whose bits say its kind; 0 where there is none."""
    try:
        return Path(path).stat().st_mode
    except OSError:
        return 0


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith(above.rstrip("/") + "/")


def _remote(folder: Folder) -> Tree:
    tree, start, hidden = Tree(), len(folder.path) + 1, set()
    for info in folder.fs.get_file_info(pafs.FileSelector(folder.path, recursive=True)):
        parts = info.path[start:].split("/")
        over = next((index for index, part in enumerate(parts) if is_passed_over(part)), None)
        if over is not None:
            hidden.add("/".join(parts[: over + 1]))
        elif info.type == pafs.FileType.File:
            tree.files.append("/".join(parts))
        elif info.type == pafs.FileType.Directory:
            tree.folders.append("/".join(parts))
    tree.hidden.extend(hidden)
    return tree
