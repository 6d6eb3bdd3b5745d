"""The folders of src/diptych: one library each, includes along its links only, and docs/architecture.md in step."""
import re
import unittest

from support import REPOSITORY

SOURCES = REPOSITORY / "src" / "diptych"
MOST_FILES = 40  # in a folder; more are a room where nobody finds anything


def linked_folders():
    """{folder: folders that its library links}, as CMakeLists.txt says."""
    text = (REPOSITORY / "CMakeLists.txt").read_text()
    declared = dict(re.findall(r"^\s*diptych_(?:torch_|command_)?library\(([a-z][\w/]*)\s*([^)]*)\)", text, re.MULTILINE))
    declared["kernels"] = ""
    by_target = {f"diptych_{folder.replace('/', '_')}": folder for folder in declared}
    links = {folder: {by_target[target] for target in words.split() if target in by_target}
             for folder, words in declared.items()}
    links["cli/program"] = {by_target[target] for target in re.search(
        r"target_link_libraries\(diptych PRIVATE ([^)]*)\)", text)[1].split()}
    links["model/layers"].add("kernels")
    return links


def reachable(links, folder):
    found, waiting = set(), [folder]
    while waiting:
        for below in links[waiting.pop()] - found:
            found.add(below)
            waiting.append(below)
    return found


def source_files():
    return sorted(path for path in SOURCES.rglob("*") if path.suffix in (".h", ".cpp", ".cu"))


class Architecture(unittest.TestCase):
    def setUp(self):
        self.links = linked_folders()

    def test_every_folder_with_sources_is_a_library(self):
        folders = {path.parent.relative_to(SOURCES).as_posix() for path in source_files()}
        self.assertEqual(folders, set(self.links))

    def test_no_folder_reaches_itself(self):
        for folder in self.links:
            self.assertNotIn(folder, reachable(self.links, folder))

    def test_includes_follow_the_links(self):
        for path in source_files():
            folder = path.parent.relative_to(SOURCES).as_posix()
            allowed = reachable(self.links, folder) | {folder}
            for included in re.findall(r'^#include "diptych/([^"]+)/[^"/]+"', path.read_text(), re.MULTILINE):
                self.assertIn(included, allowed, f"{path.relative_to(REPOSITORY)} includes from {included}")

    def test_parts_of_a_folder_stand_above_its_own_files(self):
        for folder, below in self.links.items():
            for linked in below - {"cli/program"}:
                self.assertFalse(linked.startswith(folder + "/"), f"{folder} links {linked}")

    def test_no_folder_is_overfull(self):
        for folder in self.links:
            files = [path for path in (SOURCES / folder).iterdir() if path.is_file()]
            self.assertLessEqual(len(files), MOST_FILES, f"src/diptych/{folder}")

    def test_the_table_of_folders_is_true(self):
        text = (REPOSITORY / "docs" / "architecture.md").read_text()
        rows = re.findall(r"^\| `([\w/]+)` \| [^|]+ \|([^|]*)\|$", text, re.MULTILINE)
        told = {folder: {word.strip(" `") for word in links.split(",")} - {""} for folder, links in rows}
        self.assertEqual(told, self.links)


if __name__ == "__main__":
    unittest.main()
