"""Lists the data files of a Delta table's newest version.

in: {"url", "storage_options"}; out: [path, relative to the table, decoded as the store knows it]
"""

from urllib.parse import unquote

from deltalake import DeltaTable

from journey_rows import print_output, read_input


def main():
    asked = read_input()
    table = DeltaTable(asked["url"], storage_options=asked["storage_options"])
    actions = table.get_add_actions(flatten=True)
    print_output([unquote(path) for path in actions.column("path").to_pylist()])


main()
