"""Wrong inputs to every command, a line each, with a part of what is said; names of places are in test_bad_input."""

import shlex

TEXT = """\
list extra => unknown argument 'extra'; see: simonides list
list --json --json=3 => unknown argument '3'; see: simonides list --help
show => helptext
show memories/linear-capacity --scale desk => unknown argument '--scale'; see: simonides show
show BROKEN.py => line 1 cannot be loaded: SyntaxError: invalid
show memories,none => no claim or paper is called 'none'
status none.py => claim file none.py does not exist; check the
status memories --store FILE => store FILE is a file; give a folder.
status memories --store OTHERS => folder OTHERS is not empty and no store of
verdict memories --store OTHERS => folder OTHERS is not empty and no store of
verdict memories --scale big => Expected one of
report nothing --store STORE => no claim or paper is called 'nothing'
report memories/classics --store FILE => FILE is a file; give a folder
report memories/classics --store OTHERS => folder OTHERS is not empty and no store of
cite BROKEN.py => line 1 cannot be loaded: SyntaxError: invalid
cite a,b => no claim or paper is called 'a'; did you mean
run memories/linear-capacity --device abacus => device 'abacus' is not known; give auto, cpu,
run memories/linear-capacity --device cuda:99 => there is no device 'cuda:99'
run memories/linear-capacity --device meta => device 'meta' is not known; give auto, cpu,
run memories/linear-capacity --facts 10,wide => --facts wide is no int, which
run memories/linear-capacity --facts , => cannot read the values ','; give some with
run memories/linear-capacity --facts 10,10.5 => --facts 10.5 is no int, which
run memories/linear-capacity --d= => --d is no int, which memories/linear-capacity
run memories/linear-capacity --d nan => --d nan is no int, which
run memories/linear-capacity --workers 1.5 => invalid
run memories/linear-capacity --gpus 1 => --gpus is no option of the engine local; add
run memories/linear-capacity --memory 4 => --memory is no option of the engine local; add
run memories/linear-capacity --store OTHERS => folder OTHERS is not empty and no store of
run FOLDER.csv => no claim or paper is called 'FOLDER.csv'
run PIPE.csv => no claim or paper is called 'PIPE.csv'
run TEXT => is no Python file; give one that ends in .py.
run '' => no claim or paper is called ''
run /dev/zero => no claim or paper is called '/dev/zero'
compare => required
compare NOWHERE => does not exist; give a store, or a folder of recorded results
compare OTHERS => is not empty and no store of
compare FILE => is a file
compare OTHERS --target nothing => no claim or paper is called 'nothing'
compare OTHERS --scale big => Expected one of
frequency --bins 0 => bins = 0
frequency --rates 0.1 => --rates is of a training
frequency nowhere.txt => nowhere.txt
frequency --train 5 --methods adamw => method 'adamw' is unknown
frequency --train 5 --rates a,b => give numbers with commas between
frequency --train 5 --rates 0 => learning rates are positive and finite
frequency --train 5 --length 1 => length = 1
frequency --train 5 --out FILE => FILE is a file
frequency --column kind --train 5 => no text
frequency --seed -1 => seed
frequency --unit words --tokenizer nowhere => nowhere
teleport nowhere.csv => of a file give --target
teleport nowhere.csv --target kind => nowhere.csv
teleport wine --target kind => are of a file
teleport wine --penalty -1 => penalty
teleport wine --hidden -1 => hidden
teleport wine --steps 0 => steps
teleport wine --iterations 3 => iterations
teleport wine --out FILE => FILE is a file
directions nowhere.csv => of a file give --target
directions nowhere.csv --target y => nowhere.csv
directions --target y => is of a file
directions --components 0 => components
directions --degree 0 => degree
directions --degree 40 => from 1 to 10
directions --out FILE => FILE is a file
count '[01' => the [ at 0 has no ] behind it
count '01]' => the ] at 2 has no [ before it
count '[a]' => has the characters 'a'; write 0, 1, [ and ] alone
count '[1[0]]' => lies in another region
count '[][][][][]' => has 5 regions; this task has 4
count '' => a string is empty
count --length 7 => has no room for 4 regions
count --length 8 --regions 0 => regions = 0 is too small
count --length big => invalid
count --regions 2.5 => invalid
count --bias x => Expected one of
count --no-beginning => this task has no beginning to compare with
count --runs 2 => --runs is of a training; add --train STEPS
count --alibi-slope 0.1 => --alibi-slope is of a training
count --train 5 --bias ] --out NEW => --bias is of a counter that is written down
count --train 5 --runs 0 --out NEW => runs = 0 is too small
count --train 5 --alibi-slope 0.1 --out NEW => alibi_slope = 0.1 with positions='none'
count --train 5 --positions alibi --alibi-slope nan --out NEW => slopes
count --train 5 --d 0 --out NEW => d = 0 is too small
count --train 5 --rate nan --out NEW => rate = nan
count --train 5 --rate -1 --out NEW => rate = -1
count --train -5 => steps
count --report 3 => report = 3 is too small
count --report 3 --train 5 --out NEW => report = 3 is too small
count --nested => --nested is of a training
count --regions 1 --length 2 --bias 0 => have no 0 to compare with
count --enough nan --train 5 --out NEW => enough = nan
count --seed -1 => seed = -1 is too small
count --out OTHERS => holds files that simonides did not write
count --out FILE => FILE
recall PIPE.csv --json => is no regular file; give a file.
recall country-capital France --d -3 => d = -3 is too small; give an integer of at
recall country-capital --delimiter ';' => country-capital is no file; delimiter, header,
recall country-capital --columns 1,2 => country-capital is no file; delimiter, header,
recall country-capital --repeats first => country-capital is no file; delimiter, header,
recall country-capital --header maybe => Expected one of
recall THREE.csv => is its first row (country, capital, type) a
recall THREE.csv --columns country => --columns names 1 columns; expected 2 or 3
recall THREE.csv --columns country,cap => has not one column 'cap'; its first row is
recall THREE.csv --columns 1,9 => has 3 columns, and none of number 9.
recall THREE.csv --delimiter '' => delimiter '' is not one character between
recall OBJECT.json => has objects of a; expected subject and
recall DEEP.json => is no sound JSON: maximum recursion depth
recall HALFCHAR.jsonl => row 1: answer holds half a character; repair it.
recall TWICE.csv --repeats last => Expected one of
recall TWICE.csv a --repeats first --top -1 => top = -1 is too small; give an integer of at
recall TWICE.csv zz --repeats first => has no key 'zz'; its first is 'a'; check the
recall country-capital --steps 0 --model transformer => steps = 0 is too small; give an integer of at
recall country-capital --steps -5 --model transformer => steps = -5 is too small; give an integer of at
recall country-capital --embedding cube => Expected one of
recall element-symbol --d 1.5 => invalid
recall element-symbol --seed 99999999999999999999999 => seed = 99999999999999999999999 is too large;
recall country-capital+planets => table 'planets' is unknown; known:
recall country-capital+country-capital => country-capital+country-capital names a table
pretrain OUT --layers 0 --text TEXT => layers = 0 is too small; give an integer of at
pretrain OUT --heads 3 --text TEXT => d = 128 in 3 heads: a head's dimension has to
pretrain OUT --length 1 --text TEXT => length = 1 is too small; give an integer of at
pretrain OUT --rate nan --text TEXT => rate = nan makes no sense; give a number above
pretrain OUT --rate inf --text TEXT => rate = inf makes no sense; give a number above
pretrain OUT --seed -1 --text TEXT => seed = -1 is too small; give an integer of at
pretrain OUT --every 0 --text TEXT => every = 0 is too small; give an integer of at
pretrain OUT --batch 0 --text TEXT => batch = 0 is too small; give an integer of at
pretrain OUT --d 0 --text TEXT => d = 0 is too small; give an integer of at least
pretrain OUT --repeated -0.1 --text TEXT => repeated = -0.1 is no share; give a number in
pretrain OUT --text PIPE.csv => is no regular file; give a file.
pretrain OUT --text EMPTY.csv => a text of 0 characters, 0 different; give a
inspect CHECKPOINT --length 9 => passages of 9 tokens, read twice, do not fit in
inspect CHECKPOINT --length 1 => length = 1 is too small; give an integer of at
inspect CHECKPOINT --tokens 0 => tokens = 0 is too small; give an integer of at
inspect CHECKPOINT --seed -1 => seed = -1 is too small; give an integer of at
inspect CHECKPOINT --text PIPE.csv => is no regular file; give a file.
inspect CHECKPOINT --text LATIN.csv => line 1: byte 0xfa is not UTF-8; save the file
inspect HUGE => /config.json has hidden_size =
inspect LAYERS => /config.json has num_hidden_layers =
inspect ABSENT => lacks 1 of 1 weight files that its index names,
inspect PIPED => /model.safetensors is no regular file; remove
inspect OUTSIDE => model.safetensors', which is not a file of this
inspect NAN => gpt_neox.layers.1.mlp.dense_h_to_4h.weight
inspect EMPTY.csv => is no folder and no GGUF file; give the folder
truncate CHECKPOINT --rank 2 --layers 1-0 --text TEXT => layers '1-0' go backwards; give the lower one
truncate CHECKPOINT --rank 2 --layers -1 --text TEXT => layers '-1' cannot be read; give all, 3, 0-4 or
truncate CHECKPOINT --rank 2 --layers 0-99 --text TEXT => layers '0-99': there are 2, from 0 to 1.
truncate CHECKPOINT --rank 2 --layers '' --text TEXT => layers '' cannot be read; give all, 3, 0-4 or
truncate CHECKPOINT --rank 2 --matrix '' --text TEXT => matrix '' names none; known: W_Q, W_K, W_V,
truncate CHECKPOINT --rank 2 --controls -1 --text TEXT => controls = -1 is too small; give an integer of
truncate CHECKPOINT --rank 2 --text-tokens 1 --text TEXT => text_tokens = 1 is too small; give an integer
truncate CHECKPOINT --rank 2 --text TEXT --questions Q.csv --most 0 => most = 0 is too small; give an integer of at
truncate CHECKPOINT --rank 2 --text TEXT --header True => header without a file of questions; give the
truncate CHECKPOINT --rank 2 --text TEXT --templates TEXT => templates without a file of questions; give the
truncate CHECKPOINT --rank 2 --text TEXT --questions country-capital --columns 1,2 => is no file; leave --header and
truncate CHECKPOINT --rank 2 --text TEXT --questions Q.csv --generic '' => the generic word is empty
truncate CHECKPOINT --search --questions Q.csv --text TEXT => 2 questions to search with; give at least 3: a
truncate CHECKPOINT --search --questions Q.csv --shares nan --text TEXT => shares 'nan' lie outside [0, 1].
truncate CHECKPOINT --search --questions Q.csv --shares '' --text TEXT => shares '' cannot be read; give for example
truncate CHECKPOINT --search --questions Q.csv --save factors => --search tries --shares and saves nothing;
truncate CHECKPOINT --share nan --text TEXT => share = nan is no share of the rank; give a
truncate CHECKPOINT --energy nan --text TEXT => energy = nan lies outside (0, 1); give a share
truncate CHECKPOINT --energy 0 --text TEXT => energy = 0.0 lies outside (0, 1); give a share
truncate CHECKPOINT --rank 2 --text TEXT --save both => Expected one of
truncate CHECKPOINT --rank 2 --text TEXT --svd fast => Expected one of
truncate CHECKPOINT --rank 2 --text TEXT --seed -1 => seed = -1 is too small; give an integer of at
truncate RELATIONS.tsv --rank 2 => is no folder and no GGUF file; give the folder
truncate CHECKPOINT --rank 2 --text TEXT --questions RELATIONS.tsv => has relations: give --templates FILE with a
truncate CHECKPOINT --rank 2 --text TEXT --questions RELATIONS.tsv --templates WIDE.csv => row 1: 4 columns where 2
truncate CHECKPOINT --rank 2 --text TEXT --questions STRANGE.csv => Missing [UNK] token from the vocabulary); give
explore --port 99999 --no-browser => port = 99999 is no port; give one from 1024 to
explore --port x => invalid
numbers => Missing subcommand
numbers train => required
numbers train WIDE.csv --mask d --out NUMBERS => has 1 documents with all numbers asked for; training needs
numbers train WIDE.csv --mask e --out NUMBERS => has no number at 'e'; it has numbers at a, b, c, d
numbers train WIDE.csv --mask d[ --out NUMBERS => the path 'd[' cannot be read at '['
numbers train WIDE.csv --mask '"\\x"' --out NUMBERS => cannot be read at
numbers train WIDE.csv --mask '' --out NUMBERS => is empty or no text
numbers train EMPTY.csv --mask d --out NUMBERS => holds no rows below a header
numbers train BAD.jsonl --mask d --out NUMBERS => list where an object with names
numbers train HALFCHAR.jsonl --mask key --out NUMBERS => half a character
numbers train nowhere.csv --mask d --out NUMBERS => nowhere.csv does not exist
numbers train FOLDER.csv --mask d --out NUMBERS => is a folder
numbers train WIDE.csv --mask d --out OTHERS => OTHERS holds something already
numbers train WIDE.csv --mask d --out FILE => FILE holds something already
numbers train WIDE.csv --mask d --out NUMBERS --encoding p100 => encoding 'p100' is unknown; did you mean
numbers train WIDE.csv --mask d --out NUMBERS --steps 0 => steps = 0 is too small
numbers train WIDE.csv --mask d --out NUMBERS --d 6 => d = 6 does not part into 4 heads
numbers train WIDE.csv --mask d --out NUMBERS --rate nan => rate = nan; give a learning rate
numbers train WIDE.csv --mask d --out NUMBERS --seed -1 => seed = -1 is too small
numbers predict OTHERS WIDE.csv => numbers.json does not exist
numbers predict nowhere WIDE.csv => nowhere is no folder; give one that
numbers predict CHECKPOINT WIDE.csv => numbers.json does not exist
numbers predict OTHERS WIDE.csv --out FILE => FILE exists already; give a new file
numbers predict OTHERS WIDE.csv --out new.csv => new.csv ends in .csv; write .jsonl or .parquet
numbers compare WIDE.csv --mask d --encodings , => names none; give names
numbers compare WIDE.csv --mask d --encodings xval,xval => name each once
numbers compare WIDE.csv --mask d --encodings xval,none => encoding 'none' is unknown
numbers compare WIDE.csv --mask d --out OTHERS => holds files that simonides did not write
physics => Missing subcommand
physics simulate => required
physics simulate water --out NEW => system 'water' is unknown; did you mean 'shallow-water'
physics simulate shallow-water --out OTHERS => holds something already; give a folder
physics simulate shallow-water --out NEW --trajectories 0 => trajectories = 0 is too small
physics simulate compressible --out NEW --set mach=-1 => mach = -1.0 makes no sense
physics inspect WIDE.csv => is no HDF5, NetCDF, .npy or .npz; give such a file
physics inspect nowhere => nowhere does not exist; check the path
physics convert nowhere NEW => nowhere does not exist; check the path
physics convert WIDE.csv OTHERS => holds something already; give a folder
physics pretrain --out NEW => no data are given; give files or folders
physics pretrain nowhere --out NEW => nowhere does not exist; check the path
physics pretrain WIDE.csv --out NEW --size huge => invalid choice
physics finetune OTHERS WIDE.csv --out NEW => holds no model (config.json); give a folder
physics rollout nowhere WIDE.csv => holds no model (config.json); give a folder
physics demo --out OTHERS => holds files that simonides did not write
--nonsense => Expected one of
-x => Expected one of
frobnicate => command 'frobnicate' is unknown; did you mean
"""

WRONG = [
    (shlex.split(command), message)
    for command, _, message in (line.partition(" => ") for line in TEXT.splitlines())
]
