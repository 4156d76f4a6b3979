// Checks one log of an unzipped bundle with golang.org/x/mod/sumdb: its note, its tiles, its entries, its proofs.
//
//	crosscheck FOLDER VKEY ORIGIN
//
// FOLDER is logs/<n> of a bundle, which for a whole log is a C2SP tlog-tiles log.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// tiles reads tiles from a folder laid out as tlog-tiles lays them out.
type tiles struct{ folder string }

func (t tiles) Height() int { return height }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		// tlog writes tile/<height>/<level>/<N>; tlog-tiles leaves the height out.
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, err := os.ReadFile(filepath.Join(t.folder, path))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func check(folder, vkey, origin string) (int64, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, err
	}
	signed, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return 0, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return 0, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != origin {
		return 0, fmt.Errorf("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return 0, err
	}
	tree := tlog.Tree{N: size, Hash: root}
	reader := tlog.TileHashReader(tree, tiles{folder})
	if err := entries(folder, tree, reader); err != nil {
		return 0, err
	}
	for _, n := range []int64{0, size / 3, size / 2, size - 1} {
		if err := proofs(tree, reader, n); err != nil {
			return 0, err
		}
	}
	return size, consistency(folder, tree, reader)
}

// entries holds every leaf of the entry bundles against the hash that the authenticated tiles have for it.
func entries(folder string, tree tlog.Tree, reader tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += 1 << height {
		width := min(1<<height, int(tree.N-first))
		tile := tlog.Tile{H: height, L: 0, N: first >> height, W: width}
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/0/", height), "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return err
		}
		indexes := make([]int64, width)
		for at := range indexes {
			indexes[at] = tlog.StoredHashIndex(0, first+int64(at))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for at := 0; at < width; at++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return fmt.Errorf("entry %d is cut", first+int64(at))
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			if tlog.RecordHash(data[2:end]) != hashes[at] {
				return fmt.Errorf("entry %d differs from its tile", first+int64(at))
			}
			data = data[end:]
		}
		if len(data) != 0 {
			return fmt.Errorf("bytes behind the entries from %d on", first)
		}
	}
	return nil
}

func proofs(tree tlog.Tree, reader tlog.HashReader, n int64) error {
	hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
	if err != nil {
		return err
	}
	record, err := tlog.ProveRecord(tree.N, n, reader)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(record, tree.N, tree.Hash, n, hashes[0])
}

// consistency checks the proofs that the bundle brings against roots that the tiles give.
func consistency(folder string, tree tlog.Tree, reader tlog.HashReader) error {
	files, _ := filepath.Glob(filepath.Join(folder, "consistency", "*"))
	for _, file := range files {
		old, err := strconv.ParseInt(filepath.Base(file), 10, 64)
		if err != nil {
			return err
		}
		root, err := tlog.TreeHash(old, reader)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var proof tlog.TreeProof
		for _, line := range strings.Fields(string(data)) {
			raw, err := base64.StdEncoding.DecodeString(line)
			if err != nil || len(raw) != tlog.HashSize {
				return fmt.Errorf("not a hash")
			}
			proof = append(proof, tlog.Hash(raw))
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old, root); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "crosscheck FOLDER VKEY ORIGIN")
		os.Exit(2)
	}
	size, err := check(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d leaves agree\n", size)
}
